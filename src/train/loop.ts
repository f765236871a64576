/**
 * Training from a folder of pictures to a saved model: epochs of steps, validation after each, checkpoints on the way.
 *
 * RUN/model.safetensors, model.json   the model that did best on the validation pictures, ready to use
 * RUN/metrics.jsonl                   a line per epoch
 * RUN/checkpoints/last, best          all that it takes to go on from there
 */
import { existsSync, readFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Classifier } from '../classifier/classifier.ts';
import type { ModelDescription } from '../classifier/description.ts';
import type { Evaluation } from '../classifier/evaluation.ts';
import { saveModel } from '../classifier/files.ts';
import { Tally } from '../classifier/tally.ts';
import { type Folder, openFolder } from '../data/folder.ts';
import { type Batch, countBatches, Loader } from '../data/loader.ts';
import { type Preprocessing, preprocessingFor, trainTransforms } from '../data/presets.ts';
import type { Transforms } from '../data/transforms.ts';
import { UsageError } from '../errors.ts';
import { makeFolder, writeFileAtomically } from '../files.ts';
import { cost } from '../graph/cost.ts';
import { initialWeights } from '../model/init.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { setWeights, type Weights } from '../model/weights.ts';
import { type Checkpoint, type Progress, readCheckpoint, start, writeCheckpoint } from './checkpoint.ts';
import type { EpochEvent, StartEvent, TrainEvent } from './events.ts';
import { lowering } from './lowering.ts';
import { resolveTrainOptions, type TrainOptions, trainConfig } from './options.ts';
import { learningRateAt } from './schedule.ts';
import { fillTargets } from './targets.ts';
import { Trainer } from './trainer.ts';

export interface TrainHooks {
  readonly onEvent?: (event: TrainEvent) => void;
  /** When it aborts, the run ends after the step it is in and leaves a checkpoint. */
  readonly signal?: AbortSignal;
}

export interface TrainResult {
  readonly out: string;
  readonly interrupted: boolean;
  /** Best top-1 on the validation pictures, in percent; absent where there are none. */
  readonly best?: number;
}

/**
 * Trains a new model.
 *
 * @throws UsageError for an option or a folder that cannot be used, or where `out` already holds a run.
 * @example await train({ data: 'flowers', out: 'runs/flowers', variant: 'resnext20_8x16d_w16', epochs: 10 });
 */
export async function train(
  given: Partial<TrainOptions> & Pick<TrainOptions, 'data' | 'out'>,
  hooks: TrainHooks = {},
): Promise<TrainResult> {
  const options = resolveTrainOptions(given);
  if (existsSync(lastCheckpoint(options.out))) {
    throw new UsageError(
      `"${options.out}" already holds a training run; resume it, remove it, or choose another folder.`,
    );
  }
  return withRun(options, undefined, hooks);
}

/**
 * Goes on with a run from its last checkpoint. What is given beside `out` replaces the run's own options.
 *
 * @throws UsageError when `out` holds no run, or one that what is given does not fit.
 * @example await resume('runs/flowers', { epochs: 60 });
 */
export async function resume(
  out: string,
  given: Partial<TrainOptions> = {},
  hooks: TrainHooks = {},
): Promise<TrainResult> {
  const path = lastCheckpoint(out);
  if (!existsSync(path)) throw new UsageError(`"${out}" holds no training run to resume.`);
  const checkpoint = await readCheckpoint(path);
  const options = resolveTrainOptions({ ...checkpoint.options, ...given, out });
  const { batch } = checkpoint.options;
  if (checkpoint.progress.step > 0 && options.batch !== batch) {
    throw new UsageError(
      `"${out}" stands within an epoch in batches of ${batch}; resume it without another batch size.`,
    );
  }
  const fixed = (['variant', 'size', 'inputChannels', 'shortcut'] as const).find(
    (name) => options[name] !== checkpoint.options[name],
  );
  if (fixed) {
    throw new UsageError(
      `"${out}" trains with ${fixed} = ${checkpoint.options[fixed]}; a resumed run keeps it, so leave it out.`,
    );
  }
  return withRun(options, checkpoint, hooks);
}

const lastCheckpoint = (out: string): string => join(out, 'checkpoints', 'last.safetensors');

async function withRun(options: TrainOptions, from: Checkpoint | undefined, hooks: TrainHooks): Promise<TrainResult> {
  const run = await Run.open(options, from, hooks);
  try {
    return await run.finish();
  } finally {
    await run.close();
  }
}

class Run {
  readonly #options: TrainOptions;
  readonly #hooks: TrainHooks;
  readonly #folder: Folder;
  readonly #model: Model;
  readonly #trainer: Trainer;
  readonly #loader: Loader;
  readonly #preprocessing: Preprocessing;
  readonly #transforms: Transforms;
  readonly #stepsPerEpoch: number;
  #progress: Progress;
  /** When the last step ended; seconds from one step to the next, averaged over the latest; those of a validation. */
  #stepped = 0;
  #stepSeconds = 0;
  #validationSeconds = 0;
  #saved = performance.now();

  private constructor(
    options: TrainOptions,
    hooks: TrainHooks,
    folder: Folder,
    model: Model,
    trainer: Trainer,
    progress: Progress,
  ) {
    this.#options = options;
    this.#hooks = hooks;
    this.#folder = folder;
    this.#model = model;
    this.#trainer = trainer;
    this.#progress = progress;
    this.#loader = new Loader({ workers: options.workers, cache: options.cache });
    const { stem, inputSize, inputChannels } = model.config;
    this.#preprocessing = preprocessingFor({ stem, size: inputSize[0], channels: inputChannels as 1 | 3 });
    const fitting = stem === 'cifar' ? 'pad-and-crop' : 'random-resized-crop';
    this.#transforms = trainTransforms(
      this.#preprocessing,
      options.augmentation === 'auto' ? fitting : options.augmentation,
    );
    this.#stepsPerEpoch = countBatches(folder.train.length, options.batch, true);
  }

  static async open(options: TrainOptions, from: Checkpoint | undefined, hooks: TrainHooks): Promise<Run> {
    const folder = await openFolder(options.data, { validation: options.validation, seed: options.seed });
    if (folder.train.length < options.batch) {
      throw new UsageError(
        `There are ${folder.train.length} pictures to train on, fewer than a batch of ${options.batch}; choose a smaller batch.`,
      );
    }
    if (from && `${from.classes}` !== `${folder.classes}`) {
      throw new UsageError(
        `The run knows the classes ${from.classes.join(', ')}, but "${options.data}" has ${folder.classes.join(', ')}; resume it on the pictures it was trained on.`,
      );
    }
    const model = resnext(trainConfig(options, folder.classes.length));
    hooks.onEvent?.(await startEvent(options, folder, model, from?.progress ?? start));
    const weights = from?.weights ?? initialWeights(model, options.seed);
    const trainer = await Trainer.open(model, weights, options, from?.velocity);
    return new Run(options, hooks, folder, model, trainer, from?.progress ?? start);
  }

  async finish(): Promise<TrainResult> {
    const { out, epochs } = this.#options;
    await makeFolder(out);
    await this.#keepMetricsBefore(this.#progress.epoch);
    await this.#checkpoint('last');
    while (this.#progress.epoch < epochs && !this.#hooks.signal?.aborted) await this.#epoch();
    const interrupted = this.#progress.epoch < epochs;
    const result = { out, interrupted, ...(this.#folder.validation.length > 0 && { best: this.#progress.best }) };
    this.#tell({ event: 'end', epochs: this.#progress.epoch, ...result });
    return result;
  }

  async close(): Promise<void> {
    await this.#loader.close();
    await this.#trainer.dispose();
  }

  async #epoch(): Promise<void> {
    const { seed, batch, strict } = this.#options;
    const began = performance.now();
    this.#stepped = began;
    const batches = this.#loader.batches({
      samples: this.#folder.train,
      transforms: this.#transforms,
      batchSize: batch,
      seed,
      epoch: this.#progress.epoch,
      startBatch: this.#progress.step,
      shuffle: true,
      dropLast: true,
      corrupt: strict ? 'throw' : 'replace',
      onCorrupt: (path, message) => this.#tellCorrupt(path, message),
    });
    for await (const next of batches) {
      await this.#step(next);
      if (this.#hooks.signal?.aborted) return this.#checkpoint('last');
      if (performance.now() - this.#saved > 1000 * this.#options.checkpointEvery) await this.#checkpoint('last');
    }
    await this.#finishEpoch((performance.now() - began) / 1000);
  }

  async #step({ images, labels }: Batch): Promise<void> {
    const { batch } = this.#options;
    const trainer = this.#trainer;
    const rate = this.#learningRate();
    trainer.images.set(images);
    fillTargets(trainer.targets, labels, this.#options.labelSmoothing);
    await trainer.step(rate);
    const loss = trainer.loss[0]!;
    this.#checkLoss(loss);
    const tally = new Tally(this.#model.config.classes);
    tally.add(trainer.logits, labels);
    const { step, steps, lossSum, right, seen } = this.#progress;
    this.#progress = {
      ...this.#progress,
      step: step + 1,
      steps: steps + 1,
      lossSum: lossSum + loss * batch,
      right: right + tally.right,
      seen: seen + batch,
    };
    this.#tellStep(rate);
  }

  #checkLoss(loss: number): void {
    if (Number.isFinite(loss)) return;
    const { steps } = this.#progress;
    const { learningRate } = this.#options;
    throw new UsageError(
      `The loss became ${loss} after ${steps} steps with learning rate ${learningRate}; choose a smaller learning rate.`,
    );
  }

  /** Validates, saves the model if it is the best so far, logs the epoch. */
  async #finishEpoch(seconds: number): Promise<void> {
    const { epoch, lossSum, right, seen } = this.#progress;
    const validation = await this.#validate();
    if (validation) this.#checkLoss(validation.loss);
    const { corrupt } = this.#progress;
    const best = !validation || epoch === 0 || validation.top1 > this.#progress.best;
    const learningRate = this.#learningRate();
    this.#progress = {
      ...start,
      epoch: epoch + 1,
      steps: this.#progress.steps,
      best: best ? (validation?.top1 ?? 0) : this.#progress.best,
    };
    if (best) await this.#saveBest(validation);
    const line: EpochEvent = {
      event: 'epoch',
      epoch: epoch + 1,
      epochs: this.#options.epochs,
      loss: lossSum / seen,
      top1: (100 * right) / seen,
      ...(validation && { validation: { loss: validation.loss, top1: validation.top1, top5: validation.top5 } }),
      learningRate,
      seconds,
      corrupt,
      best,
    };
    await appendFile(this.#metricsFile, `${JSON.stringify(line)}\n`);
    await this.#checkpoint('last');
    this.#tell(line);
  }

  async #validate(): Promise<Evaluation | undefined> {
    const samples = this.#folder.validation;
    if (samples.length === 0) return undefined;
    const began = performance.now();
    setWeights(this.#model, this.#trainer.weights);
    const model = { description: this.#describe({}), graph: this.#model.graph };
    const classifier = await Classifier.open(model, { threads: this.#options.threads });
    const corrupt = this.#options.strict ? 'throw' : 'skip';
    const onCorrupt = (path: string, message: string) => this.#tellCorrupt(path, message);
    try {
      return await classifier.evaluate(samples, { loader: this.#loader, corrupt, onCorrupt });
    } finally {
      await classifier.dispose();
      this.#validationSeconds = (performance.now() - began) / 1000;
    }
  }

  async #saveBest(validation: Evaluation | undefined): Promise<void> {
    const { epoch, steps } = this.#progress;
    const scores = validation && { top1: validation.top1, top5: validation.top5, loss: validation.loss };
    await saveModel(this.#options.out, this.#describe({ epoch, ...scores }), this.#trainer.weights, steps);
    await this.#checkpoint('best');
  }

  #describe(metrics: Readonly<Record<string, number>>): ModelDescription {
    const { config } = this.#model;
    return {
      variant: this.#options.variant,
      config,
      classes: this.#folder.classes,
      preprocessing: this.#preprocessing,
      metrics,
    };
  }

  async #checkpoint(name: 'last' | 'best'): Promise<void> {
    const weights: Weights = this.#trainer.weights;
    const state = {
      options: this.#options,
      classes: this.#folder.classes,
      progress: this.#progress,
      weights,
      velocity: this.#trainer.velocity,
    };
    await writeCheckpoint(join(this.#options.out, 'checkpoints', `${name}.safetensors`), state);
    this.#saved = performance.now();
  }

  get #metricsFile(): string {
    return join(this.#options.out, 'metrics.jsonl');
  }

  /** Drops the lines of epochs that a resumed run will do again. */
  async #keepMetricsBefore(epoch: number): Promise<void> {
    const text = existsSync(this.#metricsFile) ? readFileSync(this.#metricsFile, 'utf8') : '';
    const kept = text
      .split('\n')
      .slice(0, epoch)
      .filter((line) => line !== '');
    await writeFileAtomically(this.#metricsFile, [new TextEncoder().encode(kept.map((line) => `${line}\n`).join(''))]);
  }

  #learningRate(): number {
    const { epoch, step } = this.#progress;
    return learningRateAt(this.#options, epoch + step / this.#stepsPerEpoch);
  }

  #tell(event: TrainEvent): void {
    this.#hooks.onEvent?.(event);
  }

  /** Where a picture that cannot be read ends the run, the error tells it. */
  #tellCorrupt(path: string, message: string): void {
    if (this.#options.strict) return;
    this.#progress = { ...this.#progress, corrupt: this.#progress.corrupt + 1 };
    this.#tell({ event: 'corrupt', path, message });
  }

  #tellStep(learningRate: number): void {
    const { batch, epochs } = this.#options;
    const { epoch, step, lossSum, right, seen } = this.#progress;
    const now = performance.now();
    const seconds = (now - this.#stepped) / 1000;
    this.#stepped = now;
    this.#stepSeconds = this.#stepSeconds === 0 ? seconds : 0.95 * this.#stepSeconds + 0.05 * seconds;
    const stepsLeft = (epochs - epoch) * this.#stepsPerEpoch - step;
    this.#tell({
      event: 'step',
      epoch: epoch + 1,
      epochs,
      step,
      stepsPerEpoch: this.#stepsPerEpoch,
      loss: lossSum / seen,
      top1: (100 * right) / seen,
      learningRate,
      picturesPerSecond: batch / this.#stepSeconds,
      secondsLeft: stepsLeft * this.#stepSeconds + (epochs - epoch) * this.#validationSeconds,
    });
  }
}

async function startEvent(
  options: TrainOptions,
  folder: Folder,
  model: Model,
  { epoch, step }: Progress,
): Promise<StartEvent> {
  const { parameters, macs } = cost(model.graph);
  const { layout, reason } = await lowering(options);
  return {
    event: 'start',
    variant: options.variant,
    parameters,
    macs,
    classes: folder.classes,
    train: folder.train.length,
    validation: folder.validation.length,
    epochs: options.epochs,
    stepsPerEpoch: countBatches(folder.train.length, options.batch, true),
    epoch,
    step,
    layout,
    ...(reason && { layoutReason: reason }),
  };
}
