/**
 * How much of the training step's speed is reached in a real epoch: images per second of `resnext train` on a folder
 * (read, decode, augment, step), compared with the bare step on data in memory, with the same network, batch and
 * threads.
 *
 *   npm run build && npx tsx bench/epoch.ts FOLDER [--network NAME] [--batch N] [--threads N] [--workers N] [--steps N]
 *                                                  [--rounds N] [--patience N] [--quick] [--json FILE]
 *
 * FOLDER has the layout of `resnext train`, such as FOLDER/train/CLASS/*.jpg, and enough images for 10 + N steps.
 */
import { availableParallelism } from 'node:os';
import { ourContender } from './children.ts';
import { alternate, ratio, type Spread, spread } from './harness.ts';
import { network } from './networks.ts';
import { commandLine, count, introduce, main, printTable, sayDisturbed, writeResults } from './report.ts';

const before = 10;

await main(async () => {
  const { values, positionals } = commandLine({
    network: { type: 'string', default: 'resnext11_8x16d_w16' },
    batch: { type: 'string' },
    threads: { type: 'string' },
    workers: { type: 'string' },
  });
  const [data] = positionals;
  if (data === undefined) throw new Error('The folder of images is missing: npx tsx bench/epoch.ts FOLDER.');
  const cores = availableParallelism();
  const rounds = count('rounds', values.rounds, values.quick ? 2 : 5);
  const patience = count('patience', values.patience, 0);
  const steps = count('steps', values.steps, values.quick ? 10 : 60);
  const batch = count('batch', values.batch, 64);
  const threads = count('threads', values.threads, cores);
  const workers = count('workers', values.workers, Math.min(8, cores));
  const classes = await classesIn(data, batch * (before + steps));
  await network(values.network);
  introduce();
  const settings = { task: 'train', data, network: values.network, batch, threads, workers, steps, before, classes };
  const contenders = [ourContender('epoch', 'epoch', settings), ourContender('bare step', 'network', settings)];
  const [epoch, bare] = await alternate(contenders, { rounds, steps: 1, warmup: 0, patience });
  const share = ratio(bare!, epoch!);
  const shown = { network: values.network, batch, threads, workers, steps, rounds };
  print(shown, batch, spread(epoch!.milliseconds), spread(bare!.milliseconds), share);
  const rates = { epoch: spread(epoch!.milliseconds), bare: spread(bare!.milliseconds) };
  sayDisturbed([epoch!, bare!].flatMap(({ disturbance }) => disturbance));
  await writeResults(values.json, 'epoch', { settings: shown, milliseconds: rates, share });
});

/** The number of classes. Throws unless there are enough images. */
async function classesIn(data: string, needed: number): Promise<number> {
  const { openFolder } = await import('resnext/data');
  const { train, classes } = await openFolder(data, { validation: 0.01, seed: 1 });
  if (train.length >= needed) return classes.length;
  throw new Error(`"${data}" has ${train.length} training images, but ${needed} are needed. Set fewer --steps.`);
}

function print(shown: object, batch: number, epoch: Spread, bare: Spread, share: Spread): void {
  const row = (name: string, { median, low, high }: Spread) => {
    const rate = (milliseconds: number) => ((1000 * batch) / milliseconds).toFixed(1);
    return [name, rate(median), `${rate(high)} to ${rate(low)}`];
  };
  console.log(
    `\n${Object.entries(shown)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ')}`,
  );
  printTable([['', 'images/s', 'quartiles'], row('epoch', epoch), row('bare step', bare)]);
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  console.log(
    `\nThe epoch reaches ${percent(share.median)} of the bare step's rate (${percent(share.low)} to ${percent(share.high)}).`,
  );
}
