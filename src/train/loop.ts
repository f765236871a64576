/**
 * The training loop: epochs of steps, a validation after each epoch, and checkpoints. It continues from the progress of
 * `start`. If the signal aborts, it saves a checkpoint to resume from and ends.
 */
import { UsageError } from '../errors.ts';
import type { Weights } from '../model/weights.ts';
import { learningRateAt } from '../step/schedule.ts';
import type { Trainer } from '../step/trainer.ts';
import { isBest, isOver, isStuck } from './best.ts';
import { recipeText } from './chosen-recipe.ts';
import type { EndEvent, EpochEvent, StepEvent, TrainHooks } from './events.ts';
import { Meter } from './meter.ts';
import type { TrainOptions } from './options.ts';
import { afterEpoch, afterStep, meansOf, type Progress } from './progress.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunImages } from './run-images.ts';
import { absolute, type RunRecord, trainingOf } from './run-record.ts';
import { type RunTrainer, sizeAt, stepsLeft } from './sizes.ts';
import type { RunStart } from './start.ts';
import type { TrainingBatch } from './targets.ts';
import { TensorBoardLog } from './tensorboard.ts';
import type { OnCorrupt, OnPrediction, Score, TrainingData } from './training-data.ts';

/** How a run ended; as in the `end` event. */
export type TrainResult = Pick<EndEvent, 'out' | 'interrupted' | 'endedEarly' | 'best' | 'bestBy' | 'bestEpoch'>;

/** The parts of a run. */
export interface Run {
  readonly options: TrainOptions;
  readonly start: RunStart;
  readonly images: RunImages;
  readonly folder: RunFolder;
  readonly record: RunRecord;
  readonly data: TrainingData;
  readonly trainer: RunTrainer;
  readonly hooks: TrainHooks;
}

/** The loss is no longer finite. */
export class Diverged extends UsageError {}

/** @throws Diverged if the loss is no longer finite. */
export async function runEpochs(run: Run): Promise<TrainResult> {
  const { options, folder, data, hooks } = run;
  const { onEvent = () => {}, signal } = hooks;
  const [meter, log] = [new Meter(options.batch), await begin(run)];
  let { progress } = run.start;
  const save = () => saveLast(run, progress, log);
  const onCorrupt = (path: string, message: string) => {
    if (options.strict) return; // the run ends with an error that names the image
    progress = { ...progress, corrupt: progress.corrupt + 1 };
    onEvent({ event: 'corrupt', path, message });
  };
  await save();

  training: while (!isOver(progress, options) && !signal?.aborted) {
    const trainer = await run.trainer.forEpoch(progress.epoch);
    meter.startEpoch(sizeAt(options, progress.epoch));
    for await (const batch of data.batches(progress.epoch, progress.step, onCorrupt)) {
      const rate = rateAt(run, progress);
      const loss = await stepOn(batch, trainer, rate);
      checkLoss(loss, progress, options);
      progress = afterStep(progress, loss, trainer.logits, batch.labels);
      meter.step();
      await log?.step(progress, loss, rate);
      onEvent(stepEvent(progress, rate, run, meter));
      if (signal?.aborted || folder.secondsSinceCheckpoint > options.checkpointEvery) await save();
      if (signal?.aborted) break training;
    }
    const made = madeBy(trainer);
    const time = meter.sinceStart;
    const scores = await meter.validation(() => validated(data, made, onCorrupt, log?.onPrediction));
    const line = epochEvent(run, progress, scores, time);
    progress = afterEpoch(progress, line.best ? (line.validation?.[options.bestBy] ?? 0) : undefined);
    if (line.best) await saveBest(run, made, progress, scores);
    await folder.appendMetrics(line);
    await log?.epoch(progress, line);
    await save();
    onEvent(line);
  }
  return ended(run, progress);
}

/** Takes the folder and writes what is known at the start. */
async function begin({ options, folder, images, start, record }: Run): Promise<TensorBoardLog | undefined> {
  await folder.prepare(start.progress.epoch, images.split);
  const log = await TensorBoardLog.openIf(options, start.progress, images.folder);
  await folder.saveRecord(record);
  await folder.saveRecipe(recipeText(options));
  return log;
}

/** The learning rate of the next step. */
const rateAt = ({ options, data: { stepsPerEpoch } }: Run, { epoch, step }: Progress): number =>
  learningRateAt({ ...options, stepsPerEpoch }, epoch + step / stepsPerEpoch);

/** Trains on a batch. Returns its loss before the update. */
export async function stepOn(
  { images, targets }: TrainingBatch,
  trainer: Trainer,
  learningRate: number,
): Promise<number> {
  trainer.images.set(images);
  trainer.targets.set(targets);
  await trainer.step(learningRate);
  return trainer.loss[0]!;
}

/** Reports how a run ended. */
export function ended(
  { options, folder, data, hooks }: Pick<Run, 'options' | 'folder' | 'data' | 'hooks'>,
  progress: Progress,
): TrainResult {
  const { epoch, best, bestEpoch } = progress;
  const { bestBy } = options;
  const result = {
    out: folder.path,
    interrupted: !isOver(progress, options),
    endedEarly: epoch < options.epochs && isStuck(progress, options),
    ...(data.hasValidation && bestEpoch > 0 && { best, bestBy, bestEpoch }),
  };
  hooks.onEvent?.({ event: 'end', epochs: epoch, ...result });
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

/** What an epoch has made. */
interface Made {
  /** The weights to use: their average if one is kept. */
  readonly weights: Weights;
  /** The weights themselves, if an average is kept. */
  readonly raw?: Weights;
}

function madeBy({ average, weights }: Trainer): Made {
  return average.size > 0 ? { weights: average, raw: weights } : { weights };
}

type Scores = Pick<EpochEvent, 'validation' | 'rawValidation'>;

/** The scores of both. Images that cannot be read are reported once. */
async function validated(
  data: TrainingData,
  { weights, raw }: Made,
  onCorrupt: OnCorrupt,
  onPrediction?: OnPrediction,
): Promise<Scores> {
  const validation = await data.validate(weights, onCorrupt, onPrediction);
  const rawValidation = raw && (await data.validate(raw, () => {}));
  return {
    ...(validation && { validation: scoreOf(validation) }),
    ...(rawValidation && { rawValidation: scoreOf(rawValidation) }),
  };
}

function stepEvent(progress: Progress, learningRate: number, { options, data }: Run, meter: Meter): StepEvent {
  const { epochs } = options;
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
    imagesPerSecond: meter.imagesPerSecond,
    secondsLeft: meter.secondsFor(stepsLeft(options, stepsPerEpoch, epoch, step), epochsLeft),
  };
}

/** @throws Diverged if the loss of the validation is not finite. */
function epochEvent(run: Run, progress: Progress, scores: Scores, time: Meter['sinceStart']): EpochEvent {
  const { epochs, bestBy } = run.options;
  if (scores.validation) checkLoss(scores.validation.loss, progress, run.options);
  const { epoch, corrupt } = progress;
  return {
    event: 'epoch',
    epoch: epoch + 1,
    epochs,
    ...meansOf(progress),
    ...scores,
    learningRate: rateAt(run, progress),
    ...time,
    corrupt,
    best: isBest(progress, scores.validation, bestBy),
    ...(scores.validation && { bestBy }),
  };
}

const scoreOf = ({ loss, top1, top5, balancedAccuracy, macroF1 }: Score): Score => ({
  ...{ loss, top1, top5, balancedAccuracy, macroF1 },
});

/** Saves what a resumed run continues from. Its log has no gap before that. */
async function saveLast(run: Run, progress: Progress, log: TensorBoardLog | undefined): Promise<void> {
  await log?.flush();
  await run.folder.saveCheckpoint('last', checkpointOf(run, progress));
}

/** Saves the model and a checkpoint, which can be continued from and is a model, too. */
async function saveBest(run: Run, { weights, raw }: Made, progress: Progress, scores: Scores): Promise<void> {
  const { folder, record, start, data } = run;
  const { epoch, steps } = progress;
  const described = (score: Score | undefined) => ({
    ...start.description,
    metrics: { epoch, ...score },
    training: trainingOf(record),
  });
  await folder.saveModel(described(scores.validation), data.allWeights(weights), steps);
  await folder.saveRaw(raw && described(scores.rawValidation), data.allWeights(raw ?? weights), steps);
  await folder.saveCheckpoint('best', checkpointOf(run, progress));
}

/** The path of the dataset is saved as an absolute one, so that the run can be resumed from another folder. */
const checkpointOf = ({ options, start: { description }, images, data, trainer }: Run, progress: Progress) => ({
  options: { ...options, data: absolute(options.data) },
  classes: description.classes,
  description,
  progress,
  images: images.digest,
  threads: options.threads,
  weights: data.allWeights(trainer.current.weights),
  slots: trainer.current.slots,
  average: trainer.current.average,
});
