/**
 * A training step (forward, backward, SGD with Nesterov momentum and weight decay, batch statistics) of this package
 * and of PyTorch, in turn, on random images.
 *
 *   npm run build && npx tsx bench/train.ts [--network NAMES] [--batch NS] [--threads NS] [--rounds N] [--steps N]
 *                                           [--patience N] [--quick] [--restart] [--js] [--json FILE]
 *
 * Without --network: ResNeXt-50 at batch 8, a small network at batch 64, and the small network in JavaScript frameworks.
 * Separate several networks, batches and numbers of threads by commas. --restart starts a contender for each turn, for
 * networks of which three copies do not fit in memory. --patience N repeats a turn that other programs disturbed, up to
 * N times. --js only compares with the JavaScript frameworks, installed with `npm install --prefix bench/rivals`.
 */
import { ourContender, pythonContender, rivalContender } from './children.ts';
import { type AlternateOptions, alternate, type Contender, type Result } from './harness.ts';
import { type Network, network, operationsOf } from './networks.ts';
import {
  type Case,
  commandLine,
  count,
  counts,
  introduce,
  main,
  measuredPeak,
  printCase,
  toCase,
  writeResults,
} from './report.ts';

interface Chosen {
  readonly name: string;
  readonly batch: number;
  readonly threads: number;
}

/** According to its source, and measured: 6 GFLOP/s with 15 images and 95 with 16. */
const oneThreadRemark =
  'With one thread and fewer than 16 images, PyTorch 1.13 does not use oneDNN for 1x1 convolutions, and is slow.';

const small = 'resnext11_8x16d_w16';
const usual: readonly Chosen[] = [
  { name: 'resnext50_32x4d', batch: 8, threads: 2 },
  { name: small, batch: 64, threads: 2 },
];

await main(async () => {
  const { values } = commandLine({
    network: { type: 'string' },
    batch: { type: 'string' },
    threads: { type: 'string' },
    restart: { type: 'boolean', default: false },
    js: { type: 'boolean', default: false },
  });
  const { quick, restart } = values;
  const rounds = count('rounds', values.rounds, quick ? 2 : 7);
  const steps = count('steps', values.steps, quick ? 1 : 3);
  const patience = count('patience', values.patience, 0);
  introduce();
  if (!measuredPeak()) console.log('No share of the peak: there is no bench/results/peak.json of this machine.');
  const cases: Case[] = [];
  for (const chosen of values.js ? [] : choose(values))
    cases.push(await againstPyTorch(chosen, { rounds, steps, restart, patience }));
  if (values.js || values.network === undefined)
    cases.push(await againstJavaScript({ rounds: Math.min(rounds, 3), steps: 1, patience }));
  await writeResults(values.json, 'train', { cases });
});

/** Every network with every batch size and every number of threads. */
function choose(values: { network?: string; batch?: string; threads?: string }): readonly Chosen[] {
  const { network: names, batch, threads } = values;
  if (names === undefined && batch !== undefined) throw new Error('--batch needs --network.');
  if (names === undefined) {
    return usual.flatMap((one) => counts('threads', threads, [one.threads]).map((n) => ({ ...one, threads: n })));
  }
  return names.split(',').flatMap((name) => {
    const batches = counts('batch', batch, [usual.find((one) => one.name === name)?.batch ?? 8]);
    return batches.flatMap((size) => counts('threads', threads, [2]).map((n) => ({ name, batch: size, threads: n })));
  });
}

async function againstPyTorch({ name, batch, threads }: Chosen, options: AlternateOptions): Promise<Case> {
  const trained = await network(name);
  if (threads === 1 && batch < 16) console.log(`\n${oneThreadRemark}`);
  const settings = { task: 'train', network: name, config: trained.config, batch, threads };
  return compare(trained, batch, threads, options, [
    ourContender('resnext', 'network', settings),
    pythonContender('PyTorch', 'torch_network.py', { ...settings, layout: 'nchw' }),
    pythonContender('PyTorch channels_last', 'torch_network.py', { ...settings, layout: 'channels_last' }),
  ]);
}

/**
 * JavaScript frameworks are only fast enough for small steps: the small network, two images, one thread, which is all
 * they have in Node. TensorFlow.js has no grouped convolution, so it uses a convolution per group and Concat.
 */
async function againstJavaScript(options: AlternateOptions): Promise<Case> {
  const trained = await network(small);
  const [batch, threads] = [2, 1];
  const settings = { task: 'train', network: small, config: trained.config, batch, threads };
  return compare(trained, batch, threads, { ...options, warmup: 1 }, [
    ourContender('resnext', 'network', settings),
    rivalContender('jax-js (WebAssembly)', 'jax.ts', settings),
    rivalContender('TensorFlow.js (CPU)', 'tensorflow.ts', settings),
  ]);
}

async function compare(
  trained: Network,
  batch: number,
  threads: number,
  options: AlternateOptions,
  contenders: readonly Contender[],
): Promise<Case> {
  const results = await alternate(contenders, options);
  checkParameters(trained, results);
  const { rounds, steps } = options;
  const [height, width] = trained.config.inputSize;
  const settings = { size: `${height}x${width}`, batch, threads, rounds, steps };
  const title = `training step of ${trained.name}`;
  const made = toCase(title, settings, results, operationsOf(trained, batch, 'train'));
  printCase(made);
  return made;
}

/** Throws if a contender trains a different network. */
function checkParameters({ name, parameters }: Network, results: readonly Result[]): void {
  for (const result of results) {
    if (result.facts.parameters === parameters) continue;
    throw new Error(`${result.name} trains ${result.facts.parameters} parameters, but ${name} has ${parameters}.`);
  }
  const all = results.length > 1 ? `all ${results.length} contenders` : 'the contender';
  console.log(`\n${name}: ${parameters} parameters in ${all}`);
}
