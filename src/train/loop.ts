/**
 * The training loop: epochs of steps, a validation after each epoch, and checkpoints. It continues from the progress of
 * `start`. If the signal aborts, it saves a checkpoint to resume from and ends.
 */
import { resolve as absolute } from 'node:path';
import { UsageError } from '../errors.ts';
import type { Weights } from '../model/weights.ts';
import { learningRateAt } from '../step/schedule.ts';
import type { Trainer } from '../step/trainer.ts';
import type { EpochEvent, StepEvent, TrainHooks } from './events.ts';
import { Meter } from './meter.ts';
import type { TrainOptions } from './options.ts';
import { afterEpoch, afterStep, meansOf, type Progress } from './progress.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunImages } from './run-images.ts';
import { type RunRecord, trainingOf } from './run-record.ts';
import type { RunStart } from './start.ts';
import type { Score, TrainingData } from './training-data.ts';

export interface TrainResult {
  readonly out: string;
  readonly interrupted: boolean;
  /** Best top-1 on the validation images, in percent; absent if there are none. */
  readonly best?: number;
}

/** The parts of a run. */
export interface Run {
  readonly options: TrainOptions;
  readonly start: RunStart;
  readonly images: RunImages;
  readonly folder: RunFolder;
  readonly record: RunRecord;
  readonly data: TrainingData;
  readonly trainer: Trainer;
  readonly hooks: TrainHooks;
}

/** The loss is no longer finite. */
export class Diverged extends UsageError {}

/** @throws Diverged if the loss is no longer finite. */
export async function runEpochs(run: Run): Promise<TrainResult> {
  const { options, start, images, folder, record, data, trainer, hooks } = run;
  const { onEvent = () => {}, signal } = hooks;
  const { epochs, checkpointEvery, strict } = options;
  const meter = new Meter();
  let { progress } = start;
  const { stepsPerEpoch } = data;
  const learningRate = () =>
    learningRateAt({ ...options, stepsPerEpoch }, progress.epoch + progress.step / stepsPerEpoch);
  const save = (name: 'last' | 'best') => folder.saveCheckpoint(name, checkpointOf(run, progress));
  const onCorrupt = (path: string, message: string) => {
    if (strict) return; // the run ends with an error that names the image
    progress = { ...progress, corrupt: progress.corrupt + 1 };
    onEvent({ event: 'corrupt', path, message });
  };
  await folder.prepare(progress.epoch, images.split);
  await folder.saveRecord(record);
  await save('last');

  training: while (progress.epoch < epochs && !signal?.aborted) {
    meter.startEpoch();
    for await (const batch of data.batches(progress.epoch, progress.step, onCorrupt)) {
      const rate = learningRate();
      trainer.images.set(batch.images);
      trainer.targets.set(batch.targets);
      await trainer.step(rate);
      const loss = trainer.loss[0]!;
      checkLoss(loss, progress, options);
      progress = afterStep(progress, loss, trainer.logits, batch.labels);
      meter.step();
      onEvent(stepEvent(progress, rate, run, meter));
      if (signal?.aborted || folder.secondsSinceCheckpoint > checkpointEvery) await save('last');
      if (signal?.aborted) break training;
    }
    const seconds = meter.epochSeconds;
    const weights = weightsToUse(trainer);
    const validation = await meter.validation(() => data.validate(weights, onCorrupt));
    if (validation) checkLoss(validation.loss, progress, options);
    const line = epochEvent(progress, validation, { epochs, learningRate: learningRate(), seconds });
    progress = afterEpoch(progress, line.best ? (validation?.top1 ?? 0) : progress.best);
    if (line.best) {
      await saveBest(run, weights, progress, validation);
      await save('best');
    }
    await folder.appendMetrics(line);
    await save('last');
    onEvent(line);
  }

  const interrupted = progress.epoch < epochs;
  const result = { out: folder.path, interrupted, ...(data.hasValidation && { best: progress.best }) };
  onEvent({ event: 'end', epochs: progress.epoch, ...result });
  return result;
}

function checkLoss(loss: number, { steps }: Progress, { learningRate, from }: TrainOptions): void {
  if (Number.isFinite(loss)) return;
  if (steps === 0 && from !== '') {
    throw new Diverged(
      `The loss of "${from}" on the first images is ${loss}, before any training. Check its weights, or start from another model.`,
    );
  }
  const rate = learningRate < 1e6 ? `${learningRate}` : learningRate.toExponential().replace('+', ''); // 1e9
  throw new Diverged(
    `The loss became ${loss} after ${steps === 1 ? '1 step' : `${steps} steps`} with learning rate ${rate}. Choose a smaller learning rate.`,
  );
}

/** The weights to validate and save: their average if one is kept. */
function weightsToUse(trainer: Trainer): Weights {
  const { average } = trainer;
  return average.size > 0 ? average : trainer.weights;
}

function stepEvent(progress: Progress, learningRate: number, { options, data }: Run, meter: Meter): StepEvent {
  const { epochs, batch } = options;
  const { epoch, step } = progress;
  const { stepsPerEpoch } = data;
  const epochsLeft = epochs - epoch;
  return {
    event: 'step',
    epoch: epoch + 1,
    epochs,
    step,
    stepsPerEpoch,
    ...meansOf(progress),
    learningRate,
    imagesPerSecond: meter.imagesPerSecond(batch),
    secondsLeft: meter.secondsFor(epochsLeft * stepsPerEpoch - step, epochsLeft),
  };
}

function epochEvent(
  progress: Progress,
  validation: Score | undefined,
  rest: Pick<EpochEvent, 'epochs' | 'learningRate' | 'seconds'>,
): EpochEvent {
  const { epoch, corrupt } = progress;
  const { epochs, learningRate, seconds } = rest;
  return {
    event: 'epoch',
    epoch: epoch + 1,
    epochs,
    ...meansOf(progress),
    ...(validation && { validation: scoreOf(validation) }),
    learningRate,
    seconds,
    corrupt,
    best: !validation || epoch === 0 || validation.top1 > progress.best,
  };
}

const scoreOf = ({ loss, top1, top5, balancedAccuracy, macroF1 }: Score): Score => ({
  ...{ loss, top1, top5, balancedAccuracy, macroF1 },
});

async function saveBest(
  { folder, record, start, data }: Run,
  weights: Weights,
  { epoch, steps }: Progress,
  validation: Score | undefined,
): Promise<void> {
  const scores = validation && { top1: validation.top1, top5: validation.top5, loss: validation.loss };
  const description = { ...start.description, metrics: { epoch, ...scores }, training: trainingOf(record) };
  await folder.saveModel(description, data.allWeights(weights), steps);
}

/** The folder of images is saved as an absolute path, so that the run can be resumed from another folder. */
const checkpointOf = ({ options, start: { description }, images, data, trainer }: Run, progress: Progress) => ({
  options: { ...options, data: absolute(options.data) },
  classes: description.classes,
  description,
  progress,
  images: images.digest,
  threads: options.threads,
  weights: data.allWeights(trainer.weights),
  slots: trainer.slots,
  average: trainer.average,
});
