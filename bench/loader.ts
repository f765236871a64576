/**
 * How much faster the loader alone makes batches than the trainer takes them: images per second of each augmentation, with
 * the images cached and not, and of the bare training step. The two share the cores in a run, so the loader should be at
 * least three times as fast. Epochs of the loader and some steps run in turn, and the ratio is that of each turn. Resident
 * memory after each epoch shows whether it grows.
 *
 *   npm run build && npx tsx bench/loader.ts FOLDER [--network NAME] [--size N] [--batch N] [--threads N] [--workers N]
 *                                                   [--images N] [--cache MiB] [--only NAMES] [--steps N] [--rounds EPOCHS]
 *                                                   [--quick] [--json FILE]
 *
 * FOLDER has the layout of `resnext train`. --images is the number of images in an epoch, --only a list of augmentations
 * with semicolons, and --cache 0 decodes the images in every epoch.
 */
import { availableParallelism } from 'node:os';
import type { EpochOptions, TrainTransformOptions, Transforms } from 'resnext/data';
import { spread } from './harness.ts';
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
  /** MiB for decoded images; with 0, every epoch decodes them. */
  readonly cache: number;
  readonly steps: number;
}

/** Images per second of each epoch, the first of which decodes, and of the steps after it, and MiB in use after it. */
interface Row {
  readonly name: string;
  readonly loader: readonly number[];
  readonly trainer: readonly number[];
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
    cache: { type: 'string' },
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
    cache: count('cache', values.cache, 1024),
    steps: count('steps', values.steps, values.quick ? 1 : 5),
  };
  const epochs = 1 + count('rounds', values.rounds, values.quick ? 1 : 3);
  introduce();
  const { train } = await openFolder(data, { validation: 0.01, seed: 1 });
  const samples = [...train].slice(0, count('images', values.images, 512));
  const trainerRate = await openTrainer(work);
  console.log(
    `\n${Object.entries({ ...work, images: samples.length })
      .map((pair) => pair.join(' '))
      .join(', ')}`,
  );
  const rows: Row[] = [];
  for (const name of values.only.split(';')) rows.push(await measure(name, samples, work, epochs, trainerRate));
  print(rows);
  await writeResults(values.json, 'loader', { settings: work, rows });
});

async function sizeOf(name: string): Promise<number> {
  const { resnext, variant } = await import('resnext');
  return resnext(variant(name)).config.inputSize[0];
}

/** Opens the bare step. The function measures it and returns its images per second, by the median step. */
async function openTrainer({ network, size, batch, threads, steps }: Work): Promise<() => Promise<number>> {
  const { initialWeights, resnext, variant } = await import('resnext');
  const { Trainer } = await import('resnext/train');
  const model = resnext({ ...variant(network), inputSize: size });
  const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;
  const trainer = await Trainer.open(model, initialWeights(model, 1), { batch, optimizer, threads });
  await trainer.step(0.01); // warms up
  return async () => {
    const times: number[] = [];
    for (let step = 0; step < steps; step++) {
      const began = performance.now();
      await trainer.step(0.01);
      times.push(performance.now() - began);
    }
    return (1000 * batch) / median(times);
  };
}

function median(values: readonly number[]): number {
  return spread(values).median;
}

type Samples = EpochOptions['samples'];

async function measure(
  name: string,
  samples: Samples,
  work: Work,
  epochs: number,
  trainerRate: () => Promise<number>,
): Promise<Row> {
  const { Loader } = await import('resnext/data');
  const loader = new Loader({ workers: work.workers, cache: work.cache });
  const transforms = await transformsOf(name, work);
  const row = { name, loader: [] as number[], trainer: [] as number[], memory: [] as number[] };
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
    row.loader.push((1000 * images) / (performance.now() - began));
    row.memory.push(process.memoryUsage.rss() / 2 ** 20);
    row.trainer.push(await trainerRate());
  }
  await loader.close();
  return row;
}

async function transformsOf(name: string, { network, size }: Work): Promise<Transforms> {
  const { preprocessingFor, trainTransforms } = await import('resnext/data');
  const options = augmentations[name];
  if (!options) throw new Error(`--only is "${name}", but expected some of ${Object.keys(augmentations).join('; ')}.`);
  const { variant } = await import('resnext');
  const images = variant(network).stem === 'cifar' ? 'small' : 'large';
  return trainTransforms(preprocessingFor({ images, size }), options, images);
}

function print(rows: readonly Row[]): void {
  const later = (values: readonly number[]) => median(values.slice(1));
  printTable([
    ['augmentation', 'first epoch', 'later, images/s', 'trainer', 'times the trainer', 'MiB after each epoch'],
    ...rows.map(({ name, loader, trainer, memory }) => [
      name,
      loader[0]!.toFixed(0),
      later(loader).toFixed(0),
      later(trainer).toFixed(0),
      later(loader.map((rate, turn) => rate / trainer[turn]!)).toFixed(1),
      memory.map((mebibytes) => mebibytes.toFixed(0)).join(', '),
    ]),
  ]);
}
