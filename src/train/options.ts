/** How a training run is set up: one flat object, checked once, kept in every checkpoint. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { defaultCache } from '../data/loader.ts';
import type { Augmentation } from '../data/presets.ts';
import { UsageError } from '../errors.ts';
import { type Form, type ResNeXtConfig, resolveConfig, type Shortcut, type Stem } from '../model/config.ts';
import { variant } from '../model/variants.ts';
import { type Schedule, schedules } from './schedule.ts';

export interface TrainOptions {
  /** Folder of images: DIR/train/CLASS and DIR/val/CLASS, or DIR/CLASS, of which a share is kept for validation. */
  readonly data: string;
  /** Folder for the results. */
  readonly out: string;
  /**
   * A saved model to start from, as `loadModel` takes it; empty for a new net. It brings its net and preprocessing, with
   * its stem adapted if `inputChannels` is given.
   */
  readonly from: string;
  /** Parts that stay as they are: `stem`, `layer1` and so on, `fc`; `all but fc` is every part but the classifier. */
  readonly freeze: readonly string[];
  /** Compute the features of every image once, and train the classifier alone on them. */
  readonly linearProbe: boolean;
  readonly variant: string;
  readonly form: Form;
  readonly shortcut: Shortcut;
  /** Height and width that images are brought to; 0 takes that of the model to start from, or the stem's: 32 or 224. */
  readonly size: number;
  readonly inputChannels: 1 | 3;
  readonly zeroInitLast: boolean;
  readonly epochs: number;
  /** Images per step: 32 unless given, or all where there are fewer. What does not fill a batch is left out of an epoch. */
  readonly batch: number;
  readonly learningRate: number;
  /**
   * That of everything but the classifier. Unless given, it is `learningRate` for a new net, and for fine-tuning, where
   * the net knows much already, a tenth of it.
   */
  readonly backboneLearningRate?: number;
  readonly schedule: Schedule;
  /** Epochs in which the learning rate rises to its value. */
  readonly warmup: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  /** Weight decay of biases and normalization parameters. */
  readonly normWeightDecay: number;
  /** Share of the target's probability that is spread over all classes. */
  readonly labelSmoothing: number;
  readonly augmentation: Augmentation | 'auto';
  /** Share of each class kept for validation where the folder does not say. */
  readonly validation: number;
  readonly seed: number;
  /** Stop at an image that cannot be read, instead of skipping it. */
  readonly strict: boolean;
  readonly threads: number;
  readonly workers: number;
  /** MiB of memory for decoded images: see `LoaderOptions`. */
  readonly cache: number;
  /** Seconds between checkpoints within an epoch. */
  readonly checkpointEvery: number;
}

/** The learning rate is the paper's for the batch: see `usualLearningRate`. */
export const trainDefaults: Omit<TrainOptions, 'data' | 'out' | 'learningRate' | 'backboneLearningRate'> = {
  from: '',
  freeze: [],
  linearProbe: false,
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

const notNegative = [...(['warmup', 'weightDecay', 'normWeightDecay', 'cache', 'checkpointEvery'] as const)];

/** What a person may leave out; the rest is filled in. */
export type GivenOptions = Partial<TrainOptions> & Pick<TrainOptions, 'data' | 'out'>;

/**
 * Full options from what a person gives.
 *
 * @param stem that of the model to start from, where there is one.
 * @throws UsageError naming the option, its value and what it may be.
 */
export function resolveTrainOptions(given: GivenOptions, stem?: Stem): TrainOptions {
  const chosen = { ...trainDefaults, ...given, data: resolve(given.data) };
  const options = { ...chosen, learningRate: given.learningRate ?? usualLearningRate(chosen, stem) };
  for (const name of ['epochs', 'batch', 'threads'] as const) atLeast(name, options[name], 1, true);
  for (const name of ['workers', 'seed', 'size'] as const) atLeast(name, options[name], 0, true);
  for (const name of notNegative) atLeast(name, options[name], 0);
  for (const name of ['momentum', 'labelSmoothing', 'validation'] as const) share(name, options[name]);
  if (!(options.learningRate > 0)) throw new UsageError(`learningRate = ${options.learningRate} should be above 0.`);
  if (options.backboneLearningRate !== undefined && !(options.backboneLearningRate > 0)) {
    throw new UsageError(
      `backboneLearningRate = ${options.backboneLearningRate} should be above 0; freeze what is to stay as it is.`,
    );
  }
  if (options.nesterov && options.momentum === 0) {
    throw new UsageError('momentum = 0 should be above 0 with nesterov = true; give one, or nesterov = false.');
  }
  if (options.inputChannels !== 1 && options.inputChannels !== 3) {
    throw new UsageError(`inputChannels = ${options.inputChannels} should be 1 (grayscale) or 3 (color).`);
  }
  if (!schedules.includes(options.schedule)) {
    throw new UsageError(`schedule = "${options.schedule}" should be one of ${schedules.join(', ')}.`);
  }
  checkFineTuning(options);
  if (options.from === '') trainConfig(options, 2);
  return options;
}

function checkFineTuning({ from, freeze, linearProbe, backboneLearningRate, augmentation }: TrainOptions): void {
  const asked = {
    freeze: freeze.length > 0,
    linearProbe,
    backboneLearningRate: backboneLearningRate !== undefined,
    augmentation: augmentation !== 'auto',
  };
  const firstOf = (...names: (keyof typeof asked)[]) => names.find((name) => asked[name]);
  const needy = from === '' && firstOf('freeze', 'linearProbe', 'backboneLearningRate');
  if (needy) throw new UsageError(`${needy} is for a net that knows something already; name a model to start from.`);
  const idle = linearProbe && firstOf('freeze', 'backboneLearningRate', 'augmentation');
  if (idle) {
    throw new UsageError(`${idle} does nothing for a linear probe, whose features are computed once; leave it out.`);
  }
}

/** 0.1 for a batch of 256 large images or 128 small ones, and in proportion (paper, sections 4 and 5.3). */
function usualLearningRate(
  options: Pick<TrainOptions, 'variant' | 'batch'>,
  stem: Stem = variant(options.variant).stem ?? 'imagenet',
): number {
  return (0.1 * options.batch) / (stem === 'cifar' ? 128 : 256);
}

/**
 * The options for so many images to train on: fewer than the usual batch are a batch, and the usual learning rate goes
 * with it in proportion.
 *
 * @param given what was asked for, and so stays as it is.
 * @throws UsageError for fewer images than a batch that was asked for.
 */
export function fitBatch(options: TrainOptions, given: Partial<TrainOptions>, images: number): TrainOptions {
  const { batch, learningRate } = options;
  if (images >= batch) return options;
  if (given.batch !== undefined) {
    throw new UsageError(
      `There are ${images} images to train on, fewer than a batch of ${batch}; choose a smaller batch, such as ${images}.`,
    );
  }
  const usual = (learningRate * images) / batch;
  return { ...options, batch: images, learningRate: given.learningRate ?? usual };
}

/** What the learning rate is multiplied by for everything but the classifier. */
export function backboneRateOf({ from, learningRate, backboneLearningRate }: TrainOptions): number {
  if (backboneLearningRate !== undefined) return backboneLearningRate / learningRate;
  return from === '' ? 1 : 0.1;
}

/** What comes with the model that a run starts from, and so cannot be chosen. */
const settled = ['variant', 'shortcut', 'zeroInitLast'] as const;

/** Throws a UsageError naming what is given although the model to start from settles it. */
export function checkSettled(given: Partial<TrainOptions>): void {
  const chosen = settled.find((name) => given[name] !== undefined);
  if (chosen === undefined || !given.from) return;
  throw new UsageError(
    `${chosen} = ${given[chosen]} is settled by "${given.from}", the model to start from; leave one of the two out.`,
  );
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
