/** Training from a folder of images to a saved model: how a run is opened, new or resumed, and closed. */
import { type Folder, openFolder } from '../data/folder.ts';
import { UsageError } from '../errors.ts';
import { resolveModel } from '../hub/resolve.ts';
import { resnext } from '../model/resnext.ts';
import { loadModel } from '../saved/files.ts';
import { optimizerOf } from '../step/optimizers.ts';
import { Trainer, type TrainerOptions } from '../step/trainer.ts';
import { startEvent } from './announce.ts';
import { CachedFeatures } from './cached-features.ts';
import type { TrainHooks } from './events.ts';
import { runEpochs, type TrainResult } from './loop.ts';
import {
  backboneRateOf,
  checkKept,
  checkSettled,
  fitBatch,
  type GivenOptions,
  resolveTrainOptions,
  type TrainOptions,
} from './options.ts';
import { RunFolder } from './run-folder.ts';
import { type RunStart, resumeFrom, startFrom, startNew } from './start.ts';
import { ImageFolderData, type TrainingData } from './training-data.ts';

/**
 * Trains a new model, or fine-tunes a saved one on other images (`from`).
 *
 * @throws UsageError for an option or a folder that cannot be used, or where `out` already holds a run.
 * @example await train({ data: 'flowers', out: 'runs/flowers', variant: 'resnext20_8x16d_w16', epochs: 10 });
 * @example await train({ data: 'roses', out: 'runs/roses', from: 'runs/flowers', freeze: ['stem', 'layer1'] });
 */
export async function train(given: GivenOptions, hooks: TrainHooks = {}): Promise<TrainResult> {
  const asked = resolveTrainOptions(given);
  checkSettled(given);
  new RunFolder(asked.out).checkNew();
  const images = await openFolder(asked.data, asked);
  if (asked.from === '') return openRun(asked, given, images, startNew, hooks);
  const { path } = await resolveModel(asked.from, downloadOptions(hooks)); // last, since it may download 100 MB
  const source = await loadModel(path, given.inputChannels && { inputChannels: given.inputChannels });
  const { variant, config, preprocessing } = source.description;
  const options = resolveTrainOptions({ ...given, variant, inputChannels: preprocessing.channels }, config.stem);
  return openRun(options, given, images, (fitted, classes) => startFrom(fitted, classes, source), hooks);
}

const downloadOptions = ({ signal, onDownload }: TrainHooks) => ({
  ...(signal && { signal }),
  ...(onDownload && { onProgress: onDownload }),
});

/**
 * Goes on with a run from its last checkpoint. What is given beside `out` replaces the run's own options. Other parameter
 * groups may be frozen than before; the pretrained model is not read again.
 *
 * @throws UsageError when `out` holds no run, or one that cannot go on with these options.
 * @example await resume('runs/flowers', { epochs: 60 });
 */
export async function resume(
  out: string,
  given: Partial<TrainOptions> = {},
  hooks: TrainHooks = {},
): Promise<TrainResult> {
  const checkpoint = await new RunFolder(out).lastCheckpoint();
  const options = resolveTrainOptions({ ...checkpoint.options, ...given, out });
  checkKept(options, checkpoint.options, checkpoint.progress.step);
  const start: Start = (_, classes) => {
    if (`${checkpoint.classes}` === `${classes}`) return resumeFrom(options, checkpoint);
    throw new UsageError(
      `The run knows the classes ${checkpoint.classes.join(', ')}, but "${options.data}" has ${classes.join(', ')}; resume it on the images it was trained on.`,
    );
  };
  return openRun(options, options, await openFolder(options.data, options), start, hooks);
}

type Start = (options: TrainOptions, classes: readonly string[]) => RunStart;

/** @param given the options that the user gave. */
async function openRun(
  resolved: TrainOptions,
  given: Partial<TrainOptions>,
  images: Folder,
  startWith: Start,
  hooks: TrainHooks,
): Promise<TrainResult> {
  const options = fitBatch(resolved, given, images.train.length);
  const start = startWith(options, images.classes);
  const data = await openData(options, images, start, hooks);
  try {
    const { slots, average, progress } = start;
    const state = { slots, average, steps: progress.steps };
    const trainer = await Trainer.open(data.model, start.weights, trainerOptions(options, data.freeze), state);
    try {
      return await runEpochs({ options, start, folder: new RunFolder(options.out), data, trainer, hooks });
    } finally {
      await trainer.dispose();
    }
  } finally {
    await data.close();
  }
}

async function openData(
  options: TrainOptions,
  images: Folder,
  start: RunStart,
  hooks: TrainHooks,
): Promise<TrainingData> {
  const { description, weights } = start;
  const model = resnext(description.config);
  hooks.onEvent?.(await startEvent(options, images, model, start));
  return options.linearProbe
    ? CachedFeatures.open(options, images, description, weights, hooks)
    : new ImageFolderData(options, images, model, description);
}

/** The step that the options describe. */
const trainerOptions = (options: TrainOptions, freeze: readonly string[]): TrainerOptions => ({
  batch: options.batch,
  loss: options.loss,
  optimizer: optimizerOf(options.optimizer, options),
  ...(options.averageDecay > 0 && { average: options.averageDecay }),
  decayOf: (_, isVector) => (isVector ? options.normWeightDecay : options.weightDecay),
  freeze,
  backboneRate: backboneRateOf(options),
  threads: options.threads,
  providers: options.providers,
});
