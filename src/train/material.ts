/**
 * What a run learns from and is measured on: the images of a folder, varied anew in every epoch. A linear probe has
 * their features in place of them (`probe.ts`).
 */
import { Classifier } from '../classifier/classifier.ts';
import type { Evaluation } from '../classifier/evaluation.ts';
import type { Folder } from '../data/folder.ts';
import { type Batch, countBatches, Loader } from '../data/loader.ts';
import { trainTransforms, usualAugmentation } from '../data/presets.ts';
import type { Transforms } from '../data/transforms/table.ts';
import type { Model } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import { setWeights, type Weights } from '../model/weights.ts';
import type { ModelDescription } from '../saved/description.ts';
import type { TrainOptions } from './options.ts';

/** Told of every image that cannot be read. */
export type OnCorrupt = (path: string, message: string) => void;

export type Score = Pick<Evaluation, 'loss' | 'top1' | 'top5'>;

export interface Material {
  /** What the trainer trains: the net, or its classifier alone. */
  readonly model: Model;
  /** The parts of it that are frozen. */
  readonly freeze: readonly string[];
  readonly stepsPerEpoch: number;
  readonly hasValidation: boolean;
  /** The batches of an epoch from one of them on, all full. */
  batches(epoch: number, startBatch: number, onCorrupt: OnCorrupt): AsyncIterable<Pick<Batch, 'images' | 'labels'>>;
  /** How well these weights of `model` do on the validation images, if there are any. */
  validate(weights: Weights, onCorrupt: OnCorrupt): Promise<Score | undefined>;
  /** All weights of the net, from those of `model`. */
  whole(weights: Weights): Weights;
  close(): Promise<void>;
}

export class Images implements Material {
  readonly model: Model;
  readonly freeze: readonly string[];
  readonly stepsPerEpoch: number;
  readonly hasValidation: boolean;
  readonly #options: TrainOptions;
  readonly #folder: Folder;
  readonly #description: ModelDescription;
  readonly #loader: Loader;
  readonly #transforms: Transforms;

  constructor(options: TrainOptions, folder: Folder, model: Model, description: ModelDescription) {
    this.model = model;
    this.freeze = options.freeze;
    this.stepsPerEpoch = countBatches(folder.train.length, options.batch, true);
    this.hasValidation = folder.validation.length > 0;
    this.#options = options;
    this.#folder = folder;
    this.#description = description;
    this.#loader = new Loader({ workers: options.workers, cache: options.cache });
    const fitting = usualAugmentation[stems[model.config.stem].images];
    this.#transforms = trainTransforms(
      description.preprocessing,
      options.augmentation === 'auto' ? fitting : options.augmentation,
    );
  }

  batches(epoch: number, startBatch: number, onCorrupt: OnCorrupt): AsyncIterable<Batch> {
    const { seed, batch, strict } = this.#options;
    return this.#loader.batches({
      samples: this.#folder.train,
      transforms: this.#transforms,
      batchSize: batch,
      seed,
      epoch,
      startBatch,
      shuffle: true,
      dropLast: true,
      corrupt: strict ? 'throw' : 'replace',
      onCorrupt,
    });
  }

  async validate(weights: Weights, onCorrupt: OnCorrupt): Promise<Score | undefined> {
    if (!this.hasValidation) return undefined;
    setWeights(this.model, weights);
    const model = { description: this.#description, graph: this.model.graph };
    const classifier = await Classifier.open(model, { threads: this.#options.threads });
    const corrupt = this.#options.strict ? 'throw' : 'skip';
    try {
      return await classifier.evaluate(this.#folder.validation, { loader: this.#loader, corrupt, onCorrupt });
    } finally {
      await classifier.dispose();
    }
  }

  whole(weights: Weights): Weights {
    return weights;
  }

  async close(): Promise<void> {
    await this.#loader.close();
  }
}
