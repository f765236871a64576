/**
 * How much faster the loader alone makes batches than the trainer takes them: images per second of each augmentation, with
 * the images cached and not, and of the bare training step. The two share the cores in a run, so the loader should be at
 * least three times as fast. Resident memory after each epoch shows whether it grows.
 *
 *   npm run build && npx tsx bench/loader.ts FOLDER [--network NAME] [--size N] [--batch N] [--threads N] [--workers N]
 *                                                   [--images N] [--only NAMES] [--steps N] [--rounds EPOCHS]
 *                                                   [--quick] [--json FILE]
 *
 * FOLDER has the layout of `resnext train`. --images is the number of images in an epoch, --only a list of augmentations.
 */
import { availableParallelism } from 'node:os';
import type { EpochOptions, TrainTransformOptions, Transforms } from 'resnext/data';
import { commandLine, count, introduce, main, printTable, writeResults } from './report.ts';

const augmentations: Readonly<Record<string, TrainTransformOptions>> = {
  plain: {},
  'trivial-augment': { augmentation: 'trivial-augment' },
  'rand-augment': { augmentation: 'rand-augment' },
  'timm-rand-augment': { augmentation: 'timm-rand-augment' },
  'auto-augment, erasing': { augmentation: 'auto-augment', erasing: 0.25, erasingMode: 'pixel' },
  '3a, erasing all': { augmentation: '3a', erasing: 1, erasingMode: 'pixel' },
};

interface Work {
  readonly network: string;
  readonly size: number;
  readonly batch: number;
  readonly threads: number;
  readonly workers: number;
  readonly steps: number;
}

/** Images per second of each epoch, the first of which decodes, and MiB in use after it. */
interface Row {
  readonly name: string;
  readonly rates: readonly number[];
  readonly memory: readonly number[];
}

await main(async () => {
  const { values, positionals } = commandLine({
    network: { type: 'string', default: 'resnext11_8x16d_w16' },
    size: { type: 'string' },
    batch: { type: 'string' },
    threads: { type: 'string' },
    workers: { type: 'string' },
    images: { type: 'string' },
    only: { type: 'string', default: Object.keys(augmentations).join(';') },
  });
  const [data] = positionals;
  if (data === undefined) throw new Error('The folder of images is missing: npx tsx bench/loader.ts FOLDER.');
  const { openFolder } = await import('resnext/data');
  const cores = availableParallelism();
  const work: Work = {
    network: values.network,
    size: count('size', values.size, await sizeOf(values.network)),
    batch: count('batch', values.batch, 32),
    threads: count('threads', values.threads, cores),
    workers: count('workers', values.workers, Math.min(8, cores)),
    steps: count('steps', values.steps, values.quick ? 3 : 15),
  };
  const epochs = 1 + count('rounds', values.rounds, values.quick ? 1 : 3);
  introduce();
  const { train } = await openFolder(data, { validation: 0.01, seed: 1 });
  const samples = [...train].slice(0, count('images', values.images, 512));
  const trainer = await trainerRate(work);
  console.log(
    `\n${Object.entries({ ...work, images: samples.length })
      .map((pair) => pair.join(' '))
      .join(', ')}`,
  );
  console.log(`The trainer takes ${trainer.toFixed(1)} images/s.\n`);
  const rows: Row[] = [];
  for (const name of values.only.split(';')) rows.push(await measure(name, samples, work, epochs));
  print(rows, trainer);
  await writeResults(values.json, 'loader', { settings: work, trainer, rows });
});

async function sizeOf(name: string): Promise<number> {
  const { resnext, variant } = await import('resnext');
  return resnext(variant(name)).config.inputSize[0];
}

/** Images per second of the bare step, by its median. */
async function trainerRate({ network, size, batch, threads, steps }: Work): Promise<number> {
  const { initialWeights, resnext, variant } = await import('resnext');
  const { Trainer } = await import('resnext/train');
  const model = resnext({ ...variant(network), inputSize: size });
  const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;
  const trainer = await Trainer.open(model, initialWeights(model, 1), { batch, optimizer, threads });
  const times: number[] = [];
  for (let step = -2; step < steps; step++) {
    const began = performance.now();
    await trainer.step(0.01);
    if (step >= 0) times.push(performance.now() - began);
  }
  await trainer.dispose();
  return (1000 * batch) / times.sort((a, b) => a - b)[steps >> 1]!;
}

type Samples = EpochOptions['samples'];

async function measure(name: string, samples: Samples, work: Work, epochs: number): Promise<Row> {
  const { Loader } = await import('resnext/data');
  const loader = new Loader({ workers: work.workers });
  const transforms = await transformsOf(name, work);
  const [rates, memory]: [number[], number[]] = [[], []];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const began = performance.now();
    let images = 0;
    for await (const { count } of loader.batches({
      samples,
      transforms,
      batchSize: work.batch,
      shuffle: true,
      epoch,
    })) {
      images += count;
    }
    rates.push((1000 * images) / (performance.now() - began));
    memory.push(process.memoryUsage.rss() / 2 ** 20);
  }
  await loader.close();
  return { name, rates, memory };
}

async function transformsOf(name: string, { network, size }: Work): Promise<Transforms> {
  const { preprocessingFor, trainTransforms } = await import('resnext/data');
  const options = augmentations[name];
  if (!options) throw new Error(`--only is "${name}", but expected some of ${Object.keys(augmentations).join('; ')}.`);
  const { variant } = await import('resnext');
  const images = variant(network).stem === 'cifar' ? 'small' : 'large';
  return trainTransforms(preprocessingFor({ images, size }), options, images);
}

function print(rows: readonly Row[], trainer: number): void {
  const least = (rates: readonly number[]) => Math.min(...rates.slice(1));
  printTable([
    ['augmentation', 'first epoch, images/s', 'later epochs', 'times the trainer', 'MiB after each epoch'],
    ...rows.map(({ name, rates, memory }) => [
      name,
      rates[0]!.toFixed(0),
      least(rates).toFixed(0),
      (least(rates) / trainer).toFixed(1),
      memory.map((mebibytes) => mebibytes.toFixed(0)).join(', '),
    ]),
  ]);
}
