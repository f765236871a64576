/**
 * A training step with frozen parameter groups, compared with the same step without: what fine-tuning saves, and how close a step
 * with only the classifier unfrozen comes to inference. Steps alternate, and a ratio is the median over the rounds.
 *
 *   npm run build && npx tsx bench/freeze.ts [--network NAMES] [--batch N] [--threads N] [--rounds N] [--steps N]
 *                                            [--patience N] [--quick] [--json FILE]
 *
 * Without --network: ResNeXt-50 at batch 8 and resnext20_8x16d_w16 at batch 64. Separate several networks by commas.
 */
import { ourContender } from './children.ts';
import { type AlternateOptions, alternate } from './harness.ts';
import { network } from './networks.ts';
import { type Case, commandLine, count, introduce, main, printCase, toCase, writeResults } from './report.ts';

const usual = [
  { name: 'resnext50_32x4d', batch: 8 },
  { name: 'resnext20_8x16d_w16', batch: 64 },
];

await main(async () => {
  const { values } = commandLine({
    network: { type: 'string' },
    batch: { type: 'string' },
    threads: { type: 'string' },
  });
  const { quick } = values;
  const options = {
    rounds: count('rounds', values.rounds, quick ? 2 : 7),
    steps: count('steps', values.steps, quick ? 1 : 3),
    patience: count('patience', values.patience, 0),
  };
  const threads = count('threads', values.threads, 2);
  introduce();
  const names = values.network?.split(',') ?? usual.map(({ name }) => name);
  const cases: Case[] = [];
  for (const name of names) {
    const batch = count('batch', values.batch, usual.find((one) => one.name === name)?.batch ?? 8);
    cases.push(await withFrozen(name, batch, threads, options));
  }
  await writeResults(values.json, 'freeze', { cases });
});

async function withFrozen(name: string, batch: number, threads: number, options: AlternateOptions): Promise<Case> {
  const { config } = await network(name);
  const training = { task: 'train', network: name, batch, threads };
  const results = await alternate(
    [
      ourContender('nothing frozen', 'network', training),
      ourContender('stem, layer1 frozen', 'network', { ...training, freeze: ['stem', 'layer1'] }),
      ourContender('backbone frozen', 'network', { ...training, freeze: ['backbone'] }),
      ourContender('inference', 'network', { ...training, task: 'infer' }),
    ],
    options,
  );
  const { rounds, steps } = options;
  const settings = { size: config.inputSize.join('x'), batch, threads, rounds, steps };
  const made = toCase(`training step of ${name}`, settings, results);
  printCase(made);
  return made;
}
