/** Training, from a folder of images to a saved model: opens a run, new or resumed, and closes it. */

import { checkArgument, checkOptions, optional, path } from '../arguments.ts';
import { lookUpWeights } from '../catalog/published.ts';
import { resolveModel } from '../hub/resolve.ts';
import { resolveConfig } from '../model/config.ts';
import { resnext } from '../model/resnext.ts';
import { variant as configOf } from '../model/variants.ts';
import { OptionError } from '../options.ts';
import { loadModel } from '../saved/files.ts';
import { optimizerOf, settingsOf } from '../step/optimizers.ts';
import { Trainer, type TrainerOptions } from '../step/trainer.ts';
import { startEvent } from './announce.ts';
import { checkValidated } from './best.ts';
import { CachedFeatures } from './cached-features.ts';
import {
  checkFreeze,
  checkKept,
  checkKeptBatch,
  checkSettled,
  fitBatch,
  resolveTrainOptions,
} from './check-options.ts';
import type { Checkpoint } from './checkpoint.ts';
import { chooseNetwork } from './choose.ts';
import { classWeightsOf } from './class-weights.ts';
import { hookFields, type TrainHooks } from './events.ts';
import { Diverged, type Run, runEpochs, type TrainResult } from './loop.ts';
import { backboneRateOf, type GivenOptions, type TrainOptions, trainConfig, trainOptions } from './options.ts';
import { epochAgain } from './progress.ts';
import { RunFolder } from './run-folder.ts';
import { openImages, type RunImages, reopenImages } from './run-images.ts';
import { type RunState, recordOf } from './run-record.ts';
import { type RunStart, resumeFrom, startFrom, startNew } from './start.ts';
import { ImageFolderData, type TrainingData } from './training-data.ts';

/** A resumed run has the required options. */
const changeFields = optional(trainOptions);

/**
 * Trains a new model, or fine-tunes a saved one on other images (`from`).
 *
 * Without `variant` and `from`, it chooses a network, its input size and the number of epochs by the images and the speed of
 * this machine, as far as they are not given; the `start` event has the choice.
 *
 * @throws UsageError for an invalid option, an unusable folder, or if `out` contains something already or is in use.
 * @example await train({ data: 'flowers', out: 'runs/flowers', variant: 'resnext20_8x16d_w16', epochs: 10 });
 * @example await train({ data: 'roses', out: 'runs/roses', from: 'runs/flowers', freeze: ['stem', 'layer1'] });
 */
export async function train(given: GivenOptions, hooks: TrainHooks = {}): Promise<TrainResult> {
  checkOptions(trainOptions, given);
  checkOptions(hookFields, hooks);
  const asked = resolveTrainOptions(given);
  checkSettled(given);
  return within(await RunFolder.forNew(asked.out, asked.overwrite), async (folder) => {
    const images = await openImages(asked);
    if (asked.from === '') return trainNew(asked, given, images, folder, hooks);
    const classes = images.folder.classes.length;
    const published = lookUpWeights(asked.from);
    checkFreeze(asked, published && resolveConfig({ ...configOf(published.variant), classes }));
    const { path } = await resolveModel(asked.from, downloadOptions(hooks)); // last, since it may download 100 MB
    const source = await loadModel(path, {
      ...(asked.key !== '' && { key: asked.key }),
      ...(given.inputChannels && { inputChannels: given.inputChannels }),
    });
    const { variant, config, preprocessing } = source.description;
    const options = resolveTrainOptions({ ...given, variant, inputChannels: preprocessing.channels }, config.stem);
    checkFreeze(options, { ...config, classes });
    return openRun(options, given, images, (fitted, classes) => startFrom(fitted, classes, source), folder, hooks);
  });
}

/** Uses a folder, then leaves it to others. A new run that fails before its first step leaves nothing in it. */
async function within<T>(folder: RunFolder, use: (folder: RunFolder) => Promise<T>): Promise<T> {
  try {
    return await use(folder);
  } catch (error) {
    await folder.abandon();
    throw error;
  } finally {
    await folder.close();
  }
}

/** Trains a new network: the named one, or one that is chosen. */
async function trainNew(
  asked: TrainOptions,
  given: GivenOptions,
  images: RunImages,
  folder: RunFolder,
  hooks: TrainHooks,
): Promise<TrainResult> {
  if (given.variant !== undefined) return openRun(asked, given, images, startNew, folder, hooks);
  const choice = await chooseNetwork(asked, given, images.folder);
  const { variant, size, epochs } = choice;
  const options = resolveTrainOptions({ ...given, variant, size, epochs });
  const start: Start = (fitted, classes) => ({ ...startNew(fitted, classes), choice });
  return openRun(options, given, images, start, folder, hooks);
}

const downloadOptions = ({ signal, onDownload }: TrainHooks) => ({
  ...(signal && { signal }),
  ...(onDownload && { onProgress: onDownload }),
});

/**
 * Continues a run from its last checkpoint. Options given here replace the run's own; a different set of parameter groups
 * may be frozen. The pretrained model is not read again.
 *
 * @throws UsageError if `out` does not contain a run or is in use, or the run cannot continue with these options.
 * @example await resume('runs/flowers', { epochs: 60 });
 */
export async function resume(
  out: string,
  given: Partial<TrainOptions> = {},
  hooks: TrainHooks = {},
): Promise<TrainResult> {
  checkArgument('out', out, path);
  checkOptions(changeFields, given);
  checkOptions(hookFields, hooks);
  if (given.overwrite) {
    throw new OptionError(
      trainOptions,
      (say) => `A resumed run continues in its own folder. Remove ${say('overwrite')}.`,
    );
  }
  return within(await RunFolder.ofRun(out), async (folder) => {
    const checkpoint = await folder.lastCheckpoint();
    const before = { ...checkpoint.options, size: sizeOf(checkpoint) };
    const options = resolveTrainOptions({ ...before, ...given, out });
    checkKept(options, before);
    if (checkpoint.description) checkFreeze(options, checkpoint.description.config);
    const images = await reopenImages(options, checkpoint, folder.split());
    const progress = images.restartsEpoch ? epochAgain(checkpoint.progress) : checkpoint.progress;
    if (progress.step > 0) checkKeptBatch(options, before);
    const start: Start = (fitted) => resumeFrom(fitted, { ...checkpoint, progress });
    return openRun(options, given, images, start, folder, hooks);
  });
}

/** The size of a run's images, which its options may leave to the model. */
const sizeOf = ({ options, description }: Checkpoint): number =>
  description?.preprocessing.size ?? trainConfig(options, 2).inputSize[0];

type Start = (options: TrainOptions, classes: readonly string[]) => RunStart;

/** @param given the options as the user gave them. */
async function openRun(
  resolved: TrainOptions,
  given: Partial<TrainOptions>,
  images: RunImages,
  startWith: Start,
  folder: RunFolder,
  hooks: TrainHooks,
): Promise<TrainResult> {
  const samples = images.folder;
  const fitted = fitBatch(resolved, given, samples.train.length);
  checkValidated(fitted, samples.validation);
  const start = startWith(fitted, samples.classes);
  const { description, weights, slots, average, progress } = start;
  const options = { ...fitted, size: description.preprocessing.size };
  const model = resnext(description.config);
  const event = await startEvent(options, images, model, start);
  hooks.onEvent?.(event);
  const record = await recordOf(options, images, event, folder.record());
  const data: TrainingData = options.linearProbe
    ? await CachedFeatures.open(options, samples, description, weights, hooks)
    : new ImageFolderData(options, samples, model, description);
  try {
    const state = { slots, average, steps: progress.steps };
    const trainer = await Trainer.open(
      data.model,
      weights,
      trainerOptions(options, data.freeze, event.trainPerClass),
      state,
    );
    try {
      return await recorded({ options, start, images, folder, record, data, trainer, hooks });
    } finally {
      await trainer.dispose();
    }
  } finally {
    await data.close();
  }
}

/** Runs the epochs, and records how they ended. */
async function recorded(run: Run): Promise<TrainResult> {
  const end = (state: RunState) => run.folder.saveRecord({ ...run.record, state });
  try {
    const result = await runEpochs(run);
    await end(result.interrupted ? 'interrupted' : 'finished');
    return result;
  } catch (error) {
    await end(error instanceof Diverged ? 'diverged' : 'failed').catch(() => {}); // the first error is reported
    throw error;
  }
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
  ...(options.averageDecay > 0 && { average: options.averageDecay }),
  dropPath: options.dropPath,
  dropout: options.dropout,
  seed: options.seed,
  decayOf: (_, isVector) => (isVector ? options.normWeightDecay : options.weightDecay),
  freeze,
  backboneRate: backboneRateOf(options),
  threads: options.threads,
  providers: options.providers,
});
