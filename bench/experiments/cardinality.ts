/**
 * The paper's claim at a small size: at equal multiply-adds, more cardinality beats more width (section 5.1, Table 3).
 *
 * Five ResNeXt-20 for images of 32 x 32 have the same depth and the same features per stage; they differ in the number of
 * branches C and in their width, which is chosen for one cost. All are trained by one recipe, each with several seeds.
 */
import type { ResNeXtConfig } from 'resnext';
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
  signed,
  table,
} from './documents.ts';
import type { FinishedRun, PlannedRun } from './runs.ts';
import { type BySeed, type Estimate, estimateOf, meanOf, pairedDifference, signOf, slopeOf } from './statistics.ts';

/** Cardinality and base width; a stage of n features has branches of ⌊n·b/64⌋ channels. */
const shapes = [
  [1, 67],
  [2, 42],
  [4, 25],
  [8, 15],
  [32, 4],
] as const;

/** Features of the first stage. */
const width = 16;

export const variants: readonly string[] = shapes.map(([c, b]) => `resnext20_${c}x${b}d_w${width}`);

export interface ComparedNetwork {
  readonly variant: string;
  readonly cardinality: number;
  /** Channels of a branch in each stage. */
  readonly branchWidths: readonly number[];
  readonly macs: number;
  readonly parameters: number;
}

/** The networks with their costs. */
export async function comparedNetworks(): Promise<ComparedNetwork[]> {
  const { network } = await import('../networks.ts');
  const built = await Promise.all(variants.map(network));
  return built.map(({ name, config, macs, parameters }) => ({
    variant: name,
    cardinality: config.cardinality,
    branchWidths: branchWidths(config),
    macs,
    parameters,
  }));
}

const branchWidths = ({ depths, width, baseWidth }: ResNeXtConfig): number[] =>
  depths.map((_, s) => Math.floor((width * 2 ** s * baseWidth) / 64));

/** How the runs differ from the recipe `quick`: `sizes` are those of training images, smaller at first to save time. */
export interface Training {
  readonly epochs: number;
  readonly batch: number;
  readonly sizes: readonly number[];
}

/** Full images from the first epoch to the last would take half as long again. */
export const usualTraining: Training = { epochs: 3, batch: 128, sizes: [20, 24, 32] };

/** All networks with the first seed, then all with the next, so that an interrupted table can be compared. */
export const planRuns = (list: string, seeds: number, { epochs, batch, sizes }: Training): PlannedRun[] =>
  Array.from({ length: seeds }, (_, i) => i + 1).flatMap((seed) =>
    variants.map((variant) => ({
      name: runName(variant, seed),
      options: {
        ...{ data: list, variant, recipe: 'quick', epochs, batch, seed },
        ...{ replicas: 2, trainSize: sizes }, // the number of replicas makes a difference, so it does not depend on the machine
      },
    })),
  );

const runName = (variant: string, seed: number): string => `${variant}-seed${seed}`;

export interface CardinalityResults extends ResultHead {
  readonly training: Training;
  /** Numbers of images. */
  readonly images: number;
  readonly validation: number;
  readonly networks: readonly ComparedNetwork[];
  readonly runs: readonly CardinalityRun[];
}

export interface CardinalityRun {
  readonly variant: string;
  readonly seed: number;
  /** Top-1 error on the test images after each epoch, in percent. */
  readonly errors: readonly number[];
  /** The same on the training images, as they were augmented, during the last epoch. */
  readonly trainingError: number;
  readonly seconds: number;
}

export function runsOf(finished: readonly FinishedRun[]): CardinalityRun[] {
  return finished.map(({ name, epochs, seconds }) => {
    const [variant, seed] = name.split('-seed') as [string, string];
    const errors = epochs.map(({ validationTop1 }) => 100 - validationTop1!);
    return { variant, seed: Number(seed), errors, trainingError: 100 - epochs.at(-1)!.trainingTop1, seconds };
  });
}

/** A network with the errors of its runs after the last epoch. */
interface Row extends ComparedNetwork {
  readonly errors: BySeed;
  readonly trainingErrors: readonly number[];
}

async function part(results: CardinalityResults): Promise<Part> {
  const rows = results.networks
    .map((network): Row => {
      const own = results.runs.filter(({ variant }) => variant === network.variant);
      const errors = new Map(own.map(({ seed, errors }) => [seed, errors.at(-1)!]));
      return { ...network, errors, trainingErrors: own.map(({ trainingError }) => trainingError) };
    })
    .filter(({ errors }) => errors.size > 0);
  const text = 'Top-1 error of five networks of one cost by their cardinality: each seed, mean and standard deviation';
  const markdown = [
    picture('cardinality', text),
    tableOf(rows),
    conclusion(rows),
    `${measuredOn(results)} ${trainedHow(results)}`,
  ].join('\n\n');
  return { markdown, drawing: svgFile(await chartOf(rows)) };
}

const chartOf = (rows: readonly Row[]): Promise<string> =>
  groupChart({
    title: 'Error of networks of one cost',
    y: 'top-1 error',
    unit: ' %',
    x: 'cardinality, at equal multiply-adds',
    series: [{ name: 'top-1 error', color: 1 }],
    groups: rows.map(({ cardinality, errors }) => ({ name: `${cardinality}x`, values: [[...errors.values()]] })),
  });

function tableOf(rows: readonly Row[]): string {
  const [one] = rows;
  const seeds = [...new Set(rows.flatMap(({ errors }) => [...errors.keys()]))].sort((a, b) => a - b);
  const head = [
    ...['network', 'channels of a branch', 'multiply-adds', 'parameters'],
    ...seeds.map((seed) => `error, seed ${seed}`),
    ...['mean', 'training error', 'compared with 1x'],
  ];
  const body = rows.map((row) => {
    const difference = row === one ? undefined : pairedDifference(row.errors, one!.errors);
    return [
      ...[`\`${row.variant}\``, row.branchWidths.join(', '), `${(row.macs / 1e6).toFixed(1)} M`],
      `${(row.parameters / 1e3).toFixed(0)} k`,
      ...seeds.map((seed) => row.errors.get(seed)?.toFixed(1) ?? ''),
      ...[meanText(meanOf([...row.errors.values()])), meanOf(row.trainingErrors).mean.toFixed(1)],
      difference ? estimateText(difference) : '',
    ];
  });
  return table([head, ...body]);
}

/** What the numbers say of the claim, and how sure that is. */
export function conclusion(rows: readonly Pick<Row, 'cardinality' | 'errors'>[]): string {
  const [one, most] = [rows[0], rows.at(-1)];
  const difference = one && most !== one && pairedDifference(most!.errors, one.errors);
  const slope = slopeBySeed(rows);
  if (!difference || !slope) return 'There are too few runs to compare networks.';
  const seeds = difference.count === 1 ? '1 seed' : `${difference.count} seeds`;
  return [
    `Errors are in percent, differences in points of percent. Differences are paired by seed, with 95 % intervals by Student’s t over ${seeds}.`,
    `With ${most!.cardinality} branches, the error is ${changeText(difference)} than with one.`,
    `A doubling of the cardinality changes it by ${estimateText(slope, 2)} points, by a straight line through all networks.`,
    `**${verdict(slope)}**`,
  ].join(' ');
}

/** `1.2 points lower (−2.0 to −0.4)` */
const changeText = ({ mean, low, high }: Estimate): string => {
  const interval = Number.isFinite(low) ? ` (${signed(low)} to ${signed(high)})` : '';
  return `${Math.abs(mean).toFixed(1)} points ${mean < 0 ? 'lower' : 'higher'}${interval}`;
};

/** For each seed that all networks have, the change of the error with each doubling of the cardinality. */
function slopeBySeed(rows: readonly Pick<Row, 'cardinality' | 'errors'>[]): Estimate | undefined {
  const seeds = [...(rows[0]?.errors.keys() ?? [])].filter((seed) => rows.every(({ errors }) => errors.has(seed)));
  if (seeds.length === 0 || rows.length < 2) return undefined;
  const slopes = seeds.map((seed) =>
    slopeOf(rows.map(({ cardinality, errors }) => [Math.log2(cardinality), errors.get(seed)!])),
  );
  return estimateOf(slopes);
}

function verdict(slope: Estimate): string {
  if (slope.count < 2) return 'One seed cannot tell this from chance.';
  const sign = signOf(slope);
  if (sign < 0)
    return 'So the paper’s claim holds here too: at equal multiply-adds, more cardinality beats more width.';
  if (sign > 0)
    return 'So the paper’s claim does not hold here: at equal multiply-adds, more width beats more cardinality.';
  return 'The interval includes 0, so this neither confirms nor refutes the paper’s claim.';
}

function trainedHow({ training: { epochs, batch, sizes }, images, validation, runs }: CardinalityResults): string {
  const minutes = (runs.reduce((sum, { seconds }) => sum + seconds, 0) / 60).toFixed(0);
  const numbers = [images, validation].map((count) => count.toLocaleString('en'));
  return `${runs.length} runs of ${epochs} epochs on ${numbers[0]} images of CIFAR-10, in batches of ${batch}, at ${sizes.join(', ')} pixels; errors on ${numbers[1]} test images after the last epoch. The training steps of all runs took ${minutes} minutes.`;
}

export const cardinality: Experiment<CardinalityResults> = {
  name: 'cardinality',
  document: 'results.md',
  command: 'npm run cardinality -- DIR',
  part,
};
