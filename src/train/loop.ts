/**
 * Training from a folder of images to a saved model: epochs of steps, validation after each, checkpoints on the way.
 *
 * RUN/model.safetensors, model.json   the model that did best on the validation images, ready to use
 * RUN/metrics.jsonl                   a line per epoch
 * RUN/checkpoints/last, best          all that it takes to go on from there
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Folder, openFolder } from '../data/folder.ts';
import type { Batch } from '../data/loader.ts';
import { UsageError } from '../errors.ts';
import { makeFolder, writeFileAtomically } from '../files.ts';
import { resolveModel } from '../hub/resolve.ts';
import { Accuracy } from '../metrics/accuracy.ts';
import { resnext } from '../model/resnext.ts';
import type { Weights } from '../model/weights.ts';
import type { ModelDescription } from '../saved/description.ts';
import { loadModel, saveModel } from '../saved/files.ts';
import { learningRateAt } from '../step/schedule.ts';
import { Trainer, type TrainerOptions } from '../step/trainer.ts';
import { startEvent } from './announce.ts';
import { type Beginning, beginAgain, beginFrom, beginNew } from './begin.ts';
import { type Progress, readCheckpoint, start, writeCheckpoint } from './checkpoint.ts';
import type { EpochEvent, TrainEvent, TrainHooks } from './events.ts';
import { Images, type Material, type Score } from './material.ts';
import {
  backboneRateOf,
  checkKept,
  checkSettled,
  fitBatch,
  type GivenOptions,
  optimizerOf,
  resolveTrainOptions,
  type TrainOptions,
} from './options.ts';
import { Features } from './probe.ts';
import { fillTargets } from './targets.ts';

export interface TrainResult {
  readonly out: string;
  readonly interrupted: boolean;
  /** Best top-1 on the validation images, in percent; absent where there are none. */
  readonly best?: number;
}

/**
 * Trains a new model, or goes on training a saved one on other images (`from`).
 *
 * @throws UsageError for an option or a folder that cannot be used, or where `out` already holds a run.
 * @example await train({ data: 'flowers', out: 'runs/flowers', variant: 'resnext20_8x16d_w16', epochs: 10 });
 * @example await train({ data: 'roses', out: 'runs/roses', from: 'runs/flowers', freeze: ['stem', 'layer1'] });
 */
export async function train(given: GivenOptions, hooks: TrainHooks = {}): Promise<TrainResult> {
  const asked = resolveTrainOptions(given);
  checkSettled(given);
  checkOut(asked.out);
  const folder = await openFolder(asked.data, asked);
  if (asked.from === '') return withRun(asked, given, folder, beginNew, hooks);
  const { path } = await resolveModel(asked.from, downloadOptions(hooks)); // last, since it may download 100 MB
  const source = await loadModel(path, given.inputChannels && { inputChannels: given.inputChannels });
  const { variant, config, preprocessing } = source.description;
  const options = resolveTrainOptions({ ...given, variant, inputChannels: preprocessing.channels }, config.stem);
  return withRun(options, given, folder, (fitted, classes) => beginFrom(fitted, classes, source), hooks);
}

const downloadOptions = ({ signal, onDownload }: TrainHooks) => ({
  ...(signal && { signal }),
  ...(onDownload && { onProgress: onDownload }),
});

/**
 * Goes on with a run from its last checkpoint. What is given beside `out` replaces the run's own options. Parts may be
 * frozen or trained from here on that were not so before; what training started from is not read again.
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
  checkKept(options, checkpoint.options, checkpoint.progress.step);
  const begin: Begin = (_, classes) => {
    if (`${checkpoint.classes}` === `${classes}`) return beginAgain(options, checkpoint);
    throw new UsageError(
      `The run knows the classes ${checkpoint.classes.join(', ')}, but "${options.data}" has ${classes.join(', ')}; resume it on the images it was trained on.`,
    );
  };
  return withRun(options, options, await openFolder(options.data, options), begin, hooks);
}

/** @throws UsageError where there is a run already, or a file. */
function checkOut(out: string): void {
  if (existsSync(lastCheckpoint(out))) {
    throw new UsageError(`"${out}" already holds a training run. Resume it, delete it or choose another folder.`);
  }
  if (existsSync(out) && !statSync(out).isDirectory()) {
    throw new UsageError(`"${out}" is a file, but a run needs a folder. Choose another name.`);
  }
}

const lastCheckpoint = (out: string): string => join(out, 'checkpoints', 'last.safetensors');

type Begin = (options: TrainOptions, classes: readonly string[]) => Beginning;

/** @param given what of the options was asked for. */
async function withRun(
  resolved: TrainOptions,
  given: Partial<TrainOptions>,
  folder: Folder,
  begin: Begin,
  hooks: TrainHooks,
): Promise<TrainResult> {
  const options = fitBatch(resolved, given, folder.train.length);
  const run = await Run.open(options, folder, begin(options, folder.classes), hooks);
  try {
    return await run.finish();
  } finally {
    await run.close();
  }
}

/** The step that the options describe. */
const trainerOptions = (options: TrainOptions, freeze: readonly string[]): TrainerOptions => ({
  batch: options.batch,
  loss: options.loss,
  optimizer: optimizerOf(options),
  ...(options.averageDecay > 0 && { average: options.averageDecay }),
  decayOf: (_, isVector) => (isVector ? options.normWeightDecay : options.weightDecay),
  freeze,
  backboneRate: backboneRateOf(options),
  threads: options.threads,
  providers: options.providers,
});

class Run {
  readonly #options: TrainOptions;
  readonly #hooks: TrainHooks;
  readonly #material: Material;
  readonly #trainer: Trainer;
  readonly #description: ModelDescription;
  #progress: Progress;
  /** When the last step ended; seconds from one step to the next, averaged over the latest; those of a validation. */
  #stepped = 0;
  #stepSeconds = 0;
  #validationSeconds = 0;
  #saved = performance.now();

  private constructor(
    options: TrainOptions,
    hooks: TrainHooks,
    material: Material,
    trainer: Trainer,
    { description, progress }: Beginning,
  ) {
    this.#options = options;
    this.#hooks = hooks;
    this.#material = material;
    this.#trainer = trainer;
    this.#description = description;
    this.#progress = progress;
  }

  static async open(options: TrainOptions, folder: Folder, beginning: Beginning, hooks: TrainHooks): Promise<Run> {
    const { description, weights, slots, average, progress } = beginning;
    const model = resnext(description.config);
    hooks.onEvent?.(await startEvent(options, folder, model, beginning));
    const material = options.linearProbe
      ? await Features.open(options, folder, description, weights, hooks)
      : new Images(options, folder, model, description);
    try {
      const given = trainerOptions(options, material.freeze);
      const trainer = await Trainer.open(material.model, weights, given, { slots, average, steps: progress.steps });
      return new Run(options, hooks, material, trainer, beginning);
    } catch (error) {
      await material.close();
      throw error;
    }
  }

  async finish(): Promise<TrainResult> {
    const { out, epochs } = this.#options;
    await makeFolder(out);
    await this.#keepMetricsBefore(this.#progress.epoch);
    await this.#checkpoint('last');
    while (this.#progress.epoch < epochs && !this.#hooks.signal?.aborted) await this.#epoch();
    const interrupted = this.#progress.epoch < epochs;
    const result = { out, interrupted, ...(this.#material.hasValidation && { best: this.#progress.best }) };
    this.#tell({ event: 'end', epochs: this.#progress.epoch, ...result });
    return result;
  }

  async close(): Promise<void> {
    await this.#material.close();
    await this.#trainer.dispose();
  }

  async #epoch(): Promise<void> {
    const began = performance.now();
    this.#stepped = began;
    const { epoch, step } = this.#progress;
    const batches = this.#material.batches(epoch, step, (path, message) => this.#tellCorrupt(path, message));
    for await (const next of batches) {
      await this.#step(next);
      if (this.#hooks.signal?.aborted) return this.#checkpoint('last');
      if (performance.now() - this.#saved > 1000 * this.#options.checkpointEvery) await this.#checkpoint('last');
    }
    await this.#finishEpoch((performance.now() - began) / 1000);
  }

  async #step({ images, labels }: Pick<Batch, 'images' | 'labels'>): Promise<void> {
    const { batch } = this.#options;
    const trainer = this.#trainer;
    const rate = this.#learningRate();
    trainer.images.set(images);
    fillTargets(trainer.targets, labels, this.#options.labelSmoothing);
    await trainer.step(rate);
    const loss = trainer.loss[0]!;
    this.#checkLoss(loss);
    const tally = new Accuracy(this.#description.classes.length);
    tally.add(trainer.logits, labels);
    const { step, steps, lossSum, right, seen } = this.#progress;
    this.#progress = {
      ...this.#progress,
      step: step + 1,
      steps: steps + 1,
      lossSum: lossSum + loss * batch,
      right: right + tally.correct,
      seen: seen + batch,
    };
    this.#tellStep(rate);
  }

  #checkLoss(loss: number): void {
    if (Number.isFinite(loss)) return;
    const { steps } = this.#progress;
    const { learningRate, from } = this.#options;
    if (steps === 0 && from !== '') {
      throw new UsageError(
        `"${from}", the model to start from, gives ${loss} for the first images, before anything is trained; check its weights, or start from another.`,
      );
    }
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

  async #validate(): Promise<Score | undefined> {
    const began = performance.now();
    const onCorrupt = (path: string, message: string) => this.#tellCorrupt(path, message);
    try {
      return await this.#material.validate(this.#result, onCorrupt);
    } finally {
      this.#validationSeconds = (performance.now() - began) / 1000;
    }
  }

  async #saveBest(validation: Score | undefined): Promise<void> {
    const { epoch, steps } = this.#progress;
    const scores = validation && { top1: validation.top1, top5: validation.top5, loss: validation.loss };
    const description = { ...this.#description, metrics: { epoch, ...scores } };
    await saveModel(this.#options.out, description, this.#material.whole(this.#result), steps);
    await this.#checkpoint('best');
  }

  /** What is validated and saved as the model: the average, where one is kept. */
  get #result(): Weights {
    return this.#options.averageDecay > 0 ? this.#trainer.average : this.#trainer.weights;
  }

  async #checkpoint(name: 'last' | 'best'): Promise<void> {
    const state = {
      options: this.#options,
      classes: this.#description.classes,
      description: this.#description,
      progress: this.#progress,
      weights: this.#material.whole(this.#trainer.weights),
      slots: this.#trainer.slots,
      average: this.#trainer.average,
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
    return learningRateAt(this.#options, epoch + step / this.#material.stepsPerEpoch);
  }

  #tell(event: TrainEvent): void {
    this.#hooks.onEvent?.(event);
  }

  /** Where an image that cannot be read ends the run, the error tells it. */
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
    const stepsLeft = (epochs - epoch) * this.#material.stepsPerEpoch - step;
    this.#tell({
      event: 'step',
      epoch: epoch + 1,
      epochs,
      step,
      stepsPerEpoch: this.#material.stepsPerEpoch,
      loss: lossSum / seen,
      top1: (100 * right) / seen,
      learningRate,
      imagesPerSecond: batch / this.#stepSeconds,
      secondsLeft: stepsLeft * this.#stepSeconds + (epochs - epoch) * this.#validationSeconds,
    });
  }
}
