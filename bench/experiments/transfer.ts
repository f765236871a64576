/**
 * What a pretrained model is worth with few images: training from scratch against fine-tuning the two models of this package,
 * on flowers of 60 images a class at two sizes, and on five classes of CIFAR-10 with 20 and 100 images each.
 *
 * The network from scratch is that of `objects200`, and gets more epochs and more time than fine-tuning that model does.
 * There is no validation while training: the last weights are measured, once.
 */
import { join } from 'node:path';
import { groupChart } from '../../src/charts/groups.ts';
import { svgFile } from '../../src/charts/svg-file.ts';
import {
  type Experiment,
  estimateText,
  meanText,
  measuredOn,
  type Part,
  picture,
  type ResultHead,
  table,
} from './documents.ts';
import { imagesOf, type Listed, subfolder, writeList } from './images.ts';
import type { FinishedRun, PlannedRun, RunOptions } from './runs.ts';
import { type BySeed, meanOf, pairedDifference, signOf } from './statistics.ts';

export const starts = ['scratch', 'cifar10', 'objects200'] as const;
export type Start = (typeof starts)[number];

/** Classes of CIFAR-10. `objects200` knows no airplane, deer or horse, but four birds and two boats. */
export const fiveClasses: readonly string[] = ['airplane', 'deer', 'horse', 'bird', 'ship'];

interface Task {
  readonly name: string;
  /** In the table. */
  readonly title: string;
  /** Below its columns of the chart. */
  readonly short: string;
  readonly data: 'flowers' | 'cifar';
  readonly augmentation: 'random-resized-crop' | 'pad-and-crop';
  readonly size: number;
  /** The shorter side of images before the center is cropped. */
  readonly resize: number;
  /** Sizes of training images, one after the other. */
  readonly trainSize: readonly number[];
  /** Images of each class to train on; all unless given. */
  readonly perClass?: number;
  readonly epochs: { readonly scratch: number; readonly tuned: number };
}

const flowers = { data: 'flowers', augmentation: 'random-resized-crop' } as const;
const five = { data: 'cifar', augmentation: 'pad-and-crop', size: 64, resize: 64, trainSize: [64] } as const;

export const tasks: readonly Task[] = [
  {
    ...{ name: 'flowers64', title: '12 flowers, 60 images each, 64 pixels', short: 'flowers, 64 pixels' },
    ...{ ...flowers, size: 64, resize: 73, trainSize: [64], epochs: { scratch: 60, tuned: 30 } },
  },
  {
    ...{ name: 'flowers128', title: '12 flowers, 60 images each, 128 pixels', short: 'flowers, 128 pixels' },
    ...{ ...flowers, size: 128, resize: 146, trainSize: [64, 96, 128], epochs: { scratch: 30, tuned: 15 } },
  },
  {
    ...{ name: 'five20', title: '5 classes of CIFAR-10, 20 images each', short: 'five classes, 20 each' },
    ...{ ...five, perClass: 20, epochs: { scratch: 80, tuned: 30 } },
  },
  {
    ...{ name: 'five100', title: '5 classes of CIFAR-10, 100 images each', short: 'five classes, 100 each' },
    ...{ ...five, perClass: 100, epochs: { scratch: 40, tuned: 20 } },
  },
];

/** The same for all runs: small batches, since there are few images. */
const common = { batch: 16, replicas: 1, validation: 0, labelSmoothing: 0.1 } as const;

/**
 * The backbone learns faster than with `finetune`'s own rate, a tenth of the classifier's: it comes from images of another
 * size, and there are few epochs to adapt it.
 */
const fineTuning = { recipe: 'finetune', learningRate: 0.01, backboneLearningRate: 0.005 } as const;
const fromScratch = { recipe: 'quick', zeroInitLast: true } as const;

/** Where the images are, and what to start from. */
export interface TransferSources {
  readonly flowers: string;
  readonly cifar: string;
  /** A name or a path. */
  readonly models: Readonly<Record<Exclude<Start, 'scratch'>, string>>;
  /** The network to train from scratch. */
  readonly variant: string;
  /** A folder for lists of images. */
  readonly lists: string;
}

/** How many seeds, and for a try, at most how many epochs, and images of a class to train on and to measure on. */
export interface TransferSize {
  readonly seeds: number;
  readonly maxEpochs: number;
  readonly maxPerClass: number;
}

/** All tasks and starts with the first seed, then with the next, so that an interrupted table can be compared. */
export const planTransfers = (sources: TransferSources, size: TransferSize): PlannedRun[] =>
  Array.from({ length: size.seeds }, (_, i) => i + 1).flatMap((seed) =>
    tasks.flatMap((task) => starts.map((start) => planOf(task, start, seed, sources, size))),
  );

function planOf(task: Task, start: Start, seed: number, sources: TransferSources, size: TransferSize): PlannedRun {
  const list = listOf(task, seed, sources);
  const recipe: Partial<RunOptions> =
    start === 'scratch' ? { ...fromScratch, variant: sources.variant } : { ...fineTuning, from: sources.models[start] };
  const epochs = Math.min(size.maxEpochs, start === 'scratch' ? task.epochs.scratch : task.epochs.tuned);
  const trainSize = epochs < task.trainSize.length ? task.trainSize.slice(-epochs) : task.trainSize;
  const { size: pixels, resize, augmentation } = task;
  return {
    name: `${task.name}-${start}-seed${seed}`,
    options: { data: list, ...recipe, ...common, epochs, size: pixels, resize, trainSize, augmentation, seed },
    measure: (run) => top1Of(run, testImages(task, sources, size), join(sources.lists, `${task.name}-test.csv`)),
  };
}

const listOf = ({ name, perClass }: Task, seed: number, { lists }: TransferSources): string =>
  join(lists, perClass === undefined ? `${name}.csv` : `${name}-seed${seed}.csv`);

/** Writes the lists of images to train on. Each seed has other images, where not all are used. */
export function writeLists(sources: TransferSources, size: TransferSize): void {
  for (const task of tasks) {
    for (let seed = 1; seed <= size.seeds; seed++) {
      writeList(listOf(task, seed, sources), trainingImages(task, seed, sources, size));
    }
  }
}

function trainingImages(
  { data, perClass }: Task,
  seed: number,
  sources: TransferSources,
  { maxPerClass }: TransferSize,
): Listed[] {
  const folder = subfolder(sources[data], ['train']);
  if (perClass === undefined) return imagesOf(folder, 'train', { count: maxPerClass });
  const skip = (seed - 1) * perClass;
  return imagesOf(folder, 'train', { classes: fiveClasses, skip, count: Math.min(perClass, maxPerClass) });
}

function testImages({ data }: Task, sources: TransferSources, { maxPerClass: count }: TransferSize): Listed[] {
  if (data === 'flowers') return imagesOf(subfolder(sources.flowers, ['val', 'test']), 'val', { count });
  return imagesOf(subfolder(sources.cifar, ['test', 'val']), 'val', { classes: fiveClasses, count });
}

async function top1Of(run: string, images: readonly Listed[], list: string): Promise<{ top1: number; images: number }> {
  const [{ load }, { openLabeledImages }] = await Promise.all([import('resnext'), import('resnext/data')]);
  writeList(list, images);
  const model = await load(run);
  try {
    const { samples } = await openLabeledImages(list, model.description.classes);
    const { top1, images } = await model.evaluate(samples);
    return { top1, images };
  } finally {
    await model.dispose();
  }
}

export interface TransferResults extends ResultHead {
  readonly variants: Readonly<Record<Start, string>>;
  readonly runs: readonly TransferRun[];
}

export interface TransferRun {
  readonly task: string;
  readonly start: Start;
  readonly seed: number;
  readonly top1: number;
  /** Number of images that it was measured on. */
  readonly images: number;
  readonly epochs: number;
  readonly seconds: number;
}

export const transferRunsOf = (finished: readonly FinishedRun[]): TransferRun[] =>
  finished.map(({ name, epochs, seconds, measured }) => {
    const [task, start, seed] = name.split('-') as [string, Start, string];
    const { top1 = Number.NaN, images = 0 } = measured;
    return { task, start, seed: Number(seed.slice('seed'.length)), top1, images, epochs: epochs.length, seconds };
  });

/** The runs of a task, by start. */
interface Row {
  readonly task: Task;
  readonly runs: Readonly<Record<Start, readonly TransferRun[]>>;
}

async function part(results: TransferResults): Promise<Part> {
  const rows = tasks
    .map((task): Row => {
      const of = (start: Start) => results.runs.filter((run) => run.task === task.name && run.start === start);
      return { task, runs: { scratch: of('scratch'), cifar10: of('cifar10'), objects200: of('objects200') } };
    })
    .filter(({ runs }) => starts.some((start) => runs[start].length > 0));
  const markdown = [
    picture('transfer', 'Top-1 from scratch and fine-tuned from cifar10 and objects200: each seed, mean and spread'),
    tableOf(rows),
    seenBefore,
    verdicts(rows),
    `${measuredOn(results)} ${trainedHow(results)}`,
  ].join('\n\n');
  return { markdown, drawing: svgFile(await chartOf(rows)) };
}

const seenBefore =
  '\\* `cifar10` was trained on 5,000 images of each of these classes, these among them, so for it this is no transfer: it only has to forget five classes. Its test images are other ones.';

const chartOf = (rows: readonly Row[]): Promise<string> =>
  groupChart({
    title: 'From scratch and fine-tuned',
    y: 'top-1',
    unit: ' %',
    series: [
      { name: 'from scratch', color: 0 },
      { name: 'from cifar10', color: 1 },
      { name: 'from objects200', color: 2 },
    ],
    groups: rows.map(({ task, runs }) => ({
      name: task.short,
      values: starts.map((start) => runs[start].map(({ top1 }) => top1)),
    })),
  });

function tableOf(rows: readonly Row[]): string {
  const head = ['images to train on', 'from scratch', 'from `cifar10`', 'from `objects200`', '`objects200` − scratch'];
  const body = rows.map(({ task, runs }) => {
    const difference = pairedDifference(bySeed(runs.objects200), bySeed(runs.scratch));
    const cells = starts.map((start) => cellOf(runs[start], task.data === 'cifar' && start === 'cifar10'));
    return [task.title, ...cells, difference ? estimateText(difference) : ''];
  });
  return table([head, ...body]);
}

/** `61.2 ± 0.8, 9 epochs, 1:40` */
function cellOf(runs: readonly TransferRun[], isMarked: boolean): string {
  const [first] = runs;
  if (!first) return '';
  const { mean: seconds } = meanOf(runs.map((run) => run.seconds));
  const time = `${Math.floor(Math.round(seconds) / 60)}:${`${Math.round(seconds) % 60}`.padStart(2, '0')}`;
  const top1 = meanText(meanOf(runs.map(({ top1 }) => top1)));
  return `**${top1} %**${isMarked ? ' \\*' : ''}<br>${first.epochs} epochs, ${time}`;
}

const bySeed = (runs: readonly TransferRun[]): BySeed => new Map(runs.map(({ seed, top1 }) => [seed, top1]));

/** What the numbers say, and how sure that is. */
export function verdicts(rows: readonly Pick<Row, 'task' | 'runs'>[]): string {
  const found = rows.flatMap(({ task, runs }) => {
    const difference = pairedDifference(bySeed(runs.objects200), bySeed(runs.scratch));
    return difference ? [{ title: task.short, sign: difference.count < 2 ? 0 : signOf(difference) }] : [];
  });
  if (found.length === 0) return 'There are too few runs to compare.';
  const named = (sign: number) => found.filter((each) => each.sign === sign).map(({ title }) => `“${title}”`);
  const say = (sign: number, sentence: (names: string) => string) => {
    const names = named(sign);
    return names.length === 0 ? [] : [sentence(names.join(', '))];
  };
  const figures =
    'Top-1 is in percent, with the standard deviation over seeds; the last column is paired by seed, with 95 % intervals by Student’s t. The time is that of the training steps.';
  return [
    figures,
    ...say(1, (names) => `Fine-tuning \`objects200\` beats training from scratch on ${names}.`),
    ...say(-1, (names) => `Training from scratch beats fine-tuning \`objects200\` on ${names}.`),
    ...say(0, (names) => `On ${names}, these seeds cannot tell the two apart.`),
  ].join(' ');
}

function trainedHow({ variants, runs }: TransferResults): string {
  const minutes = (runs.reduce((sum, { seconds }) => sum + seconds, 0) / 60).toFixed(0);
  const { learningRate, backboneLearningRate, recipe } = fineTuning;
  const images = (data: Task['data']) => {
    const names = tasks.filter((task) => task.data === data).map(({ name }) => name);
    return runs.find(({ task }) => names.includes(task))?.images.toLocaleString('en') ?? '0';
  };
  return [
    `${runs.length} runs in batches of ${common.batch}.`,
    `From scratch, \`${variants.scratch}\` with the recipe \`${fromScratch.recipe}\`; fine-tuned, \`${variants.cifar10}\` and \`${variants.objects200}\` with the recipe \`${recipe}\`, a learning rate of ${learningRate}, and ${backboneLearningRate} for the backbone.`,
    `Measured on ${images('flowers')} images of flowers, where one image is ${(100 / Number(images('flowers')) || 0).toFixed(1)} %, and on ${images('cifar')} of the five classes (${fiveClasses.join(', ')}), after the last epoch. Each seed has other images of the five classes to train on.`,
    `The training steps of all runs took ${minutes} minutes.`,
  ].join(' ');
}

export const transfer: Experiment<TransferResults> = {
  name: 'transfer',
  document: 'results.md',
  command: 'npm run transfer -- --flowers DIR --cifar DIR',
  part,
};
