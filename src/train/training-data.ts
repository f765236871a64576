/**
 * The training and validation data of a run: the images of a folder, augmented differently in each epoch. A linear probe
 * uses their features instead (`cached-features.ts`).
 */
import { Classifier } from '../classifier/classifier.ts';
import type { Evaluation } from '../classifier/evaluation.ts';
import { NotFiniteError } from '../classifier/finite.ts';
import { type Batch, countBatches, Loader } from '../data/loader.ts';
import { trainTransforms, usualAugmentation } from '../data/presets.ts';
import type { LabeledList } from '../data/samples.ts';
import type { Transforms } from '../data/transforms/table.ts';
import type { Model } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import { setWeights, type Weights } from '../model/weights.ts';
import type { ModelDescription } from '../saved/description.ts';
import type { TrainOptions } from './options.ts';

/** Called for each image that cannot be read. */
export type OnCorrupt = (path: string, message: string) => void;

/** The images of a run. */
export interface Samples {
  readonly classes: readonly string[];
  readonly train: LabeledList;
  readonly validation: LabeledList;
}

export type Score = Pick<Evaluation, 'loss' | 'top1' | 'top5' | 'balancedAccuracy' | 'macroF1'>;

/** Valid until the next batch is requested. */
export interface TrainingBatch {
  /** [B, C, H, W], or features [B, F]. */
  readonly images: Float32Array;
  /** Class probabilities [B, K]. */
  readonly targets: Float32Array;
  /** [B] */
  readonly labels: Int32Array;
}

export interface TrainingData {
  /** The model to train: the whole network, or only its classifier. */
  readonly model: Model;
  /** The frozen parameter groups of `model`. */
  readonly freeze: readonly string[];
  readonly stepsPerEpoch: number;
  readonly hasValidation: boolean;
  /** The batches of an epoch from `startBatch` on, all full. */
  batches(epoch: number, startBatch: number, onCorrupt: OnCorrupt): AsyncIterable<TrainingBatch>;
  /** Measures these weights of `model` on the validation images, if there are any. */
  validate(weights: Weights, onCorrupt: OnCorrupt): Promise<Score | undefined>;
  /** The weights of the whole network, given those of `model`. */
  allWeights(weights: Weights): Weights;
  close(): Promise<void>;
}

export class ImageFolderData implements TrainingData {
  readonly model: Model;
  readonly freeze: readonly string[];
  readonly stepsPerEpoch: number;
  readonly hasValidation: boolean;
  readonly #options: TrainOptions;
  readonly #folder: Samples;
  readonly #description: ModelDescription;
  readonly #loader: Loader;
  readonly #transforms: Transforms;

  constructor(options: TrainOptions, folder: Samples, model: Model, description: ModelDescription) {
    this.model = model;
    this.freeze = options.freeze;
    this.stepsPerEpoch = countBatches(folder.train.length, options.batch, true);
    this.hasValidation = folder.validation.length > 0;
    this.#options = options;
    this.#folder = folder;
    this.#description = description;
    const { workers, maxMegapixels, cache } = options;
    this.#loader = new Loader({ workers, maxMegapixels, cache });
    const { images } = stems[model.config.stem];
    const { augmentation } = options;
    this.#transforms = trainTransforms(
      description.preprocessing,
      augmentation === 'auto' ? usualAugmentation[images] : augmentation,
      images,
    );
  }

  batches(epoch: number, startBatch: number, onCorrupt: OnCorrupt): AsyncIterable<TrainingBatch> {
    const { seed, batch, strict, labelSmoothing } = this.#options;
    const batches = this.#loader.batches({
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
    return withTargets(batches, this.model.config.classes, labelSmoothing);
  }

  async validate(weights: Weights, onCorrupt: OnCorrupt): Promise<Score | undefined> {
    if (!this.hasValidation) return undefined;
    setWeights(this.model, weights);
    const model = { description: this.#description, graph: this.model.graph };
    const { threads, providers, strict } = this.#options;
    const classifier = await Classifier.open(model, { threads, providers });
    const corrupt = strict ? 'throw' : 'skip';
    try {
      return await classifier.evaluate(this.#folder.validation, { loader: this.#loader, corrupt, onCorrupt });
    } catch (error) {
      if (error instanceof NotFiniteError) {
        return { loss: error.value, top1: 0, top5: 0, balancedAccuracy: 0, macroF1: 0 }; // the loop ends the run
      }
      throw error;
    } finally {
      await classifier.dispose();
    }
  }

  allWeights(weights: Weights): Weights {
    return weights;
  }

  async close(): Promise<void> {
    await this.#loader.close();
  }
}

/** Adds one-hot targets. With smoothing s, each class gets s/K, and the label 1 − s more. */
export async function* withTargets(
  batches: AsyncIterable<Pick<Batch, 'images' | 'labels'>>,
  classes: number,
  smoothing: number,
): AsyncGenerator<TrainingBatch> {
  for await (const { images, labels } of batches) {
    const targets = new Float32Array(labels.length * classes).fill(smoothing / classes);
    labels.forEach((label, n) => {
      targets[n * classes + label]! += 1 - smoothing;
    });
    yield { images, targets, labels };
  }
}
