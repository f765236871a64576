/**
 * The sizes of training images. They may differ from the size in validation, since a random crop shows objects larger than a
 * central one does, so that a network does better on larger images than it was trained on (Touvron et al., 2019, Fixing the
 * train-test resolution discrepancy). Several sizes are used one after the other, each for an equal part of the epochs, so that
 * the first epochs take less time.
 */
import { UsageError } from '../errors.ts';
import { type ResNeXtConfig, resolveConfig } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { OptionError } from '../options.ts';
import { withLoss } from '../step/step.ts';
import { Trainer, type TrainerOptions, type TrainerState } from '../step/trainer.ts';
import { partsOf } from './check-options.ts';
import { type TrainOptions, trainOptions } from './options.ts';

/** With the size in validation. */
type Sizes = Pick<TrainOptions, 'trainSize' | 'size' | 'epochs'>;

/** The size of the training images of an epoch, counted from 0. */
export function sizeAt({ trainSize, size, epochs }: Sizes, epoch: number): number {
  const part = Math.floor((epoch * trainSize.length) / epochs);
  return trainSize[Math.min(part, trainSize.length - 1)] ?? size;
}

/** Epochs of one size, counted from 1. */
export interface SizePart {
  readonly size: number;
  readonly first: number;
  readonly last: number;
}

export function sizeParts(options: Sizes): SizePart[] {
  const parts: SizePart[] = [];
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    const size = sizeAt(options, epoch);
    const before = parts.at(-1);
    if (before?.size === size) parts[parts.length - 1] = { ...before, last: epoch + 1 };
    else parts.push({ size, first: epoch + 1, last: epoch + 1 });
  }
  return parts;
}

/** The steps that are left after `step` of an epoch, in steps of its size: time grows with the number of pixels. */
export function stepsLeft(options: Sizes, stepsPerEpoch: number, epoch: number, step: number): number {
  const now = sizeAt(options, epoch);
  let steps = stepsPerEpoch - step;
  for (let next = epoch + 1; next < options.epochs; next++) steps += stepsPerEpoch * (sizeAt(options, next) / now) ** 2;
  return steps;
}

/** @throws OptionError for a size at which this network cannot be trained. */
export function checkTrainSizes(options: TrainOptions, config: ResNeXtConfig): void {
  const { trainSize, batch } = options;
  for (const size of new Set(trainSize)) {
    try {
      const { graph } = resnext(resolveConfig({ ...config, inputSize: size }));
      if (size === Math.min(...trainSize)) withLoss(graph, { batch: batch / partsOf(options) });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new OptionError(
        trainOptions,
        (say) => `${say('trainSize')} has ${size}, at which this network cannot be trained: ${error.message}`,
      );
    }
  }
}

/** The trainer of a run, which is opened again where the size of the images changes. */
export class RunTrainer {
  readonly #model: Model;
  readonly #options: Sizes;
  readonly #settings: TrainerOptions;
  #size: number;
  #current: Trainer;

  private constructor(model: Model, options: Sizes, settings: TrainerOptions, size: number, current: Trainer) {
    this.#model = model;
    this.#options = options;
    this.#settings = settings;
    this.#size = size;
    this.#current = current;
  }

  /** @param epoch in which the run begins, counted from 0. */
  static async open(
    model: Model,
    options: Sizes,
    settings: TrainerOptions,
    { weights, ...state }: TrainerState,
    epoch: number,
  ): Promise<RunTrainer> {
    const trainer = await Trainer.open(modelFor(model, options, epoch), weights, settings, state);
    return new RunTrainer(model, options, settings, sizeAt(options, epoch), trainer);
  }

  get current(): Trainer {
    return this.#current;
  }

  /** The trainer for the images of an epoch. */
  async forEpoch(epoch: number): Promise<Trainer> {
    const size = sizeAt(this.#options, epoch);
    if (size === this.#size) return this.#current;
    const { weights, slots, average, steps } = this.#current;
    await this.#current.dispose(); // first, so that memory holds one at a time
    const model = modelFor(this.#model, this.#options, epoch);
    this.#current = await Trainer.open(model, weights, this.#settings, { slots, average, steps });
    this.#size = size;
    return this.#current;
  }

  dispose(): Promise<void> {
    return this.#current.dispose();
  }
}

/** A model, which is for images of validation, for the images of an epoch. */
export function modelFor(model: Model, options: Sizes, epoch: number): Model {
  const size = sizeAt(options, epoch);
  return size === options.size ? model : resnext({ ...model.config, inputSize: [size, size] });
}
