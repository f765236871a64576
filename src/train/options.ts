/** How a training run is set up: one flat object, checked once, kept in every checkpoint. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { defaultCache } from '../data/loader.ts';
import type { Augmentation } from '../data/presets.ts';
import { UsageError } from '../errors.ts';
import { type Form, type ResNeXtConfig, resolveConfig, type Shortcut } from '../model/config.ts';
import { variant } from '../model/variants.ts';
import { type Schedule, schedules } from './schedule.ts';

export interface TrainOptions {
  /** Folder of pictures: DIR/train/CLASS and DIR/val/CLASS, or DIR/CLASS, of which a share is kept for validation. */
  readonly data: string;
  /** Folder for the results. */
  readonly out: string;
  readonly variant: string;
  readonly form: Form;
  readonly shortcut: Shortcut;
  /** Height and width that pictures are brought to; 0 takes the stem's: 32 or 224. */
  readonly size: number;
  readonly inputChannels: 1 | 3;
  readonly zeroInitLast: boolean;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly schedule: Schedule;
  /** Epochs in which the learning rate rises to its value. */
  readonly warmup: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  /** Weight decay of biases and normalisation parameters. */
  readonly normWeightDecay: number;
  /** Share of the target's probability that is spread over all classes. */
  readonly labelSmoothing: number;
  readonly augmentation: Augmentation | 'auto';
  /** Share of each class kept for validation where the folder does not say. */
  readonly validation: number;
  readonly seed: number;
  /** Stop at a picture that cannot be read, instead of skipping it. */
  readonly strict: boolean;
  readonly threads: number;
  readonly workers: number;
  /** MiB of memory for decoded pictures: see `LoaderOptions`. */
  readonly cache: number;
  /** Seconds between checkpoints within an epoch. */
  readonly checkpointEvery: number;
}

/** The learning rate is the paper's for the batch: see `usualLearningRate`. */
export const trainDefaults: Omit<TrainOptions, 'data' | 'out' | 'learningRate'> = {
  variant: 'resnext50_32x4d',
  form: 'C',
  shortcut: 'B',
  size: 0,
  inputChannels: 3,
  zeroInitLast: false,
  epochs: 30,
  batch: 32,
  schedule: 'cosine',
  warmup: 0,
  momentum: 0.9,
  nesterov: true,
  weightDecay: 5e-4,
  normWeightDecay: 5e-4,
  labelSmoothing: 0,
  augmentation: 'auto',
  validation: 0.2,
  seed: 1,
  strict: false,
  threads: availableParallelism(),
  workers: Math.min(8, availableParallelism()),
  cache: defaultCache(),
  checkpointEvery: 60,
};

/**
 * Full options from what a person gives.
 *
 * @throws UsageError naming the option, its value and what it may be.
 */
export function resolveTrainOptions(given: Partial<TrainOptions> & Pick<TrainOptions, 'data' | 'out'>): TrainOptions {
  const chosen = { ...trainDefaults, ...given, data: resolve(given.data) };
  const options = { ...chosen, learningRate: given.learningRate ?? usualLearningRate(chosen) };
  for (const name of ['epochs', 'batch', 'threads'] as const) atLeast(name, options[name], 1, true);
  for (const name of ['workers', 'seed', 'size'] as const) atLeast(name, options[name], 0, true);
  for (const name of ['warmup', 'weightDecay', 'normWeightDecay', 'cache', 'checkpointEvery'] as const)
    atLeast(name, options[name], 0);
  for (const name of ['momentum', 'labelSmoothing', 'validation'] as const) share(name, options[name]);
  if (!(options.learningRate > 0)) throw new UsageError(`learningRate = ${options.learningRate} should be above 0.`);
  if (options.nesterov && options.momentum === 0) {
    throw new UsageError('momentum = 0 should be above 0 with nesterov = true; give one, or nesterov = false.');
  }
  if (options.inputChannels !== 1 && options.inputChannels !== 3) {
    throw new UsageError(`inputChannels = ${options.inputChannels} should be 1 (grey) or 3 (colour).`);
  }
  if (!schedules.includes(options.schedule)) {
    throw new UsageError(`schedule = "${options.schedule}" should be one of ${schedules.join(', ')}.`);
  }
  trainConfig(options, 2);
  return options;
}

/** 0.1 for a batch of 256 large pictures or 128 small ones, and in proportion (paper, sections 4 and 5.3). */
function usualLearningRate(options: Pick<TrainOptions, 'variant' | 'batch'>): number {
  return (0.1 * options.batch) / (variant(options.variant).stem === 'cifar' ? 128 : 256);
}

/** The net that these options train, for so many classes. */
export function trainConfig(options: TrainOptions, classes: number): ResNeXtConfig {
  const { form, shortcut, inputChannels, zeroInitLast, size } = options;
  const inputSize = size === 0 ? {} : { inputSize: size };
  return resolveConfig({
    ...variant(options.variant),
    form,
    shortcut,
    inputChannels,
    zeroInitLast,
    classes,
    ...inputSize,
  });
}

function atLeast(name: string, value: number, least: number, whole = false): void {
  if (value >= least && (!whole || Number.isSafeInteger(value))) return;
  throw new UsageError(`${name} = ${value} should be a ${whole ? 'whole ' : ''}number of at least ${least}.`);
}

function share(name: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new UsageError(`${name} = ${value} should be from 0 to below 1.`);
}
