/**
 * What a run needs before its first step: the images, the network and its weights, and the trainer. `planNew` settles the
 * options of a new run, which may take a measurement or a download; `withTrainer` opens what they ask for, and closes it.
 */
import { lookUpWeights } from '../catalog/published.ts';
import { countBatches } from '../data/loader.ts';
import { countsByLabel } from '../data/samples.ts';
import { resolveModel } from '../hub/resolve.ts';
import { resolveConfig } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { variant as configOf } from '../model/variants.ts';
import type { Weights } from '../model/weights.ts';
import { loadModel } from '../saved/files.ts';
import type { AverageOptions } from '../step/average.ts';
import { optimizerOf, settingsOf } from '../step/optimizers.ts';
import type { TrainerOptions } from '../step/trainer.ts';
import { startEvent } from './announce.ts';
import { CachedFeatures } from './cached-features.ts';
import { checkFreeze, fitBatch, resolveTrainOptions } from './check-options.ts';
import { chooseNetwork } from './choose.ts';
import { recipeNotes } from './chosen-recipe.ts';
import { classWeightsOf } from './class-weights.ts';
import type { StartEvent, TrainHooks } from './events.ts';
import { backboneRateOf, type GivenOptions, type TrainOptions } from './options.ts';
import { chooseReplicas, type Replicas } from './replicas.ts';
import { openImages, type RunImages } from './run-images.ts';
import { checkTrainSizes, modelFor, RunTrainer } from './sizes.ts';
import { type RunStart, startFrom, startNew } from './start.ts';
import { ImageFolderData, type TrainingData } from './training-data.ts';

export interface Plan {
  readonly options: TrainOptions;
  /** The options as the user gave them. */
  readonly given: Partial<GivenOptions>;
  readonly images: RunImages;
  readonly startWith: (options: TrainOptions, classes: readonly string[]) => RunStart;
}

/** What a plan opens. */
export interface Opened {
  readonly options: TrainOptions;
  readonly start: RunStart;
  readonly images: RunImages;
  readonly data: TrainingData;
  readonly trainer: RunTrainer;
  /** What has been reported. */
  readonly event: StartEvent;
}

/** @param asked the given options with defaults for the rest. */
export async function planNew(asked: TrainOptions, given: GivenOptions, hooks: TrainHooks): Promise<Plan> {
  const images = await openImages(asked);
  if (asked.from === '') return planUntrained(asked, given, images);
  const classes = images.folder.classes.length;
  const published = lookUpWeights(asked.from);
  checkFreeze(asked, published && resolveConfig({ ...configOf(published.variant), classes }));
  const { path } = await resolveModel(asked.from, downloadOptions(hooks)); // last, since it may download 100 MB
  const source = await loadModel(path, {
    ...(asked.key !== '' && { key: asked.key }),
    ...(given.inputChannels && { inputChannels: given.inputChannels }),
  });
  const { variant, config, preprocessing } = source.description;
  const { size, channels } = preprocessing;
  const options = resolveTrainOptions({ ...given, variant, inputChannels: channels }, { stem: config.stem, size });
  checkFreeze(options, { ...config, classes });
  return { options, given, images, startWith: (fitted, classes) => startFrom(fitted, classes, source) };
}

/** A new network: the named one, or one that is chosen. */
async function planUntrained(asked: TrainOptions, given: GivenOptions, images: RunImages): Promise<Plan> {
  if (given.variant !== undefined) return { options: asked, given, images, startWith: startNew };
  const choice = await chooseNetwork(asked, given, images.folder);
  const { variant, size, epochs } = choice;
  const options = resolveTrainOptions({ ...given, variant, size, epochs });
  return { options, given, images, startWith: (fitted, classes) => ({ ...startNew(fitted, classes), choice }) };
}

const downloadOptions = ({ signal, onDownload }: TrainHooks) => ({
  ...(signal && { signal }),
  ...(onDownload && { onProgress: onDownload }),
});

/** Opens what a plan needs, reports the start, and closes everything after `use`. */
export async function withTrainer<T>(plan: Plan, hooks: TrainHooks, use: (opened: Opened) => Promise<T>): Promise<T> {
  const { images, given, startWith } = plan;
  const samples = images.folder;
  const fitted = fitBatch(plan.options, given, samples.train.length);
  const begun = startWith(fitted, samples.classes);
  const remarks = recipeNotes(fitted, given, countBatches(samples.train.length, fitted.batch, true));
  const start = { ...begun, notes: [...remarks, ...(begun.notes ?? [])] };
  const { description, weights, slots, average, progress } = start;
  const model = resnext(description.config);
  const perClass = countsByLabel(samples.train, samples.classes.length);
  const sized = { ...fitted, size: description.preprocessing.size };
  checkTrainSizes(sized, description.config);
  const chosen = await replicasFor(sized, modelFor(model, sized, progress.epoch), weights, perClass);
  const options = { ...sized, replicas: chosen.replicas };
  const event = await startEvent(options, images, model, { ...start, ...chosen });
  hooks.onEvent?.(event);
  const data: TrainingData = options.linearProbe
    ? await CachedFeatures.open(options, samples, description, weights, hooks)
    : new ImageFolderData(options, samples, model, description);
  try {
    const state = { slots, average, steps: progress.steps };
    const settings = trainerOptions(options, data.freeze, perClass);
    const trainer = await RunTrainer.open(data.model, options, settings, { weights, ...state }, progress.epoch);
    try {
      return await use({ options, start, images, data, trainer, event });
    } finally {
      await trainer.dispose();
    }
  } finally {
    await data.close();
  }
}

/** The number of replicas that is given, or the fastest. */
async function replicasFor(
  options: TrainOptions,
  model: Model,
  weights: Weights,
  perClass: readonly number[],
): Promise<Replicas> {
  const { replicas, linearProbe, freeze } = options;
  if (replicas > 0 || linearProbe) return { replicas: Math.max(1, replicas) };
  return chooseReplicas(model, weights, trainerOptions(options, freeze, perClass));
}

/** Options of the trainer for these options of the run. */
const trainerOptions = (
  options: TrainOptions,
  freeze: readonly string[],
  trainPerClass: readonly number[],
): TrainerOptions => ({
  batch: options.batch,
  loss: options.loss,
  ...classWeightsOf(options.classWeights, trainPerClass),
  optimizer: optimizerOf(options.optimizer, settingsOf(options.optimizer, options)),
  accumulate: options.accumulate,
  replicas: options.replicas,
  ...(options.clipNorm > 0 && { clipNorm: options.clipNorm }),
  ...averageOf(options),
  dropPath: options.dropPath,
  dropout: options.dropout,
  seed: options.seed,
  decayOf: (_, isVector) => (isVector ? options.normWeightDecay : options.weightDecay),
  freeze,
  backboneRate: backboneRateOf(options),
  threads: options.threads,
  providers: options.providers,
});

const averageOf = ({ averageDecay: average, averageEvery, averageWarmup }: TrainOptions): AverageOptions =>
  average > 0 ? { average, averageEvery, averageWarmup } : {};
