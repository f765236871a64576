/**
 * The training and validation data of a run: the images of a folder, augmented differently in each epoch. A linear probe
 * uses their features instead (`cached-features.ts`).
 */
import { Classifier } from '../classifier/classifier.ts';
import type { Evaluation } from '../classifier/evaluation.ts';
import { NotFiniteError } from '../classifier/finite.ts';
import { trainTransforms, type Variation, variationFields } from '../data/augmentations.ts';
import { countBatches, Loader } from '../data/loader.ts';
import { atSize, type Images, usualAugmentation } from '../data/presets.ts';
import type { LabeledList } from '../data/samples.ts';
import type { Transforms } from '../data/transforms/table.ts';
import type { Model } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import { setWeights, type Weights } from '../model/weights.ts';
import { isDefault, OptionError, pick } from '../options.ts';
import type { ModelDescription } from '../saved/description.ts';
import { usualAugmentationName } from './data-options.ts';
import { type TrainOptions, trainOptions } from './options.ts';
import { sizeAt, sizeParts } from './sizes.ts';
import { mixing, type TrainingBatch, withTargets } from './targets.ts';

/** Called for each image that cannot be read. */
export type OnCorrupt = (path: string, message: string) => void;

/** Called for each validation image with its index in the list, the most likely class and its probability. */
export type OnPrediction = (index: number, predicted: number, probability: number) => void;

/** The images of a run. */
export interface Samples {
  readonly classes: readonly string[];
  readonly train: LabeledList;
  readonly validation: LabeledList;
}

export type Score = Pick<Evaluation, 'loss' | 'top1' | 'top5' | 'balancedAccuracy' | 'macroF1'>;

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
  validate(weights: Weights, onCorrupt: OnCorrupt, onPrediction?: OnPrediction): Promise<Score | undefined>;
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
  /** By the size of the images. */
  readonly #transforms: ReadonlyMap<number, Transforms>;

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
    const sizes = [...new Set(sizeParts(options).map(({ size }) => size))];
    this.#transforms = new Map(sizes.map((size) => [size, transformsOf(options, description, images, size)]));
  }

  batches(epoch: number, startBatch: number, onCorrupt: OnCorrupt): AsyncIterable<TrainingBatch> {
    const { seed, batch, strict, sampling, repeats } = this.#options;
    const batches = this.#loader.batches({
      samples: this.#folder.train,
      transforms: this.#transforms.get(sizeAt(this.#options, epoch))!,
      batchSize: batch,
      seed,
      epoch,
      startBatch,
      shuffle: true,
      balanced: sampling === 'balanced',
      repeats,
      dropLast: true,
      corrupt: strict ? 'throw' : 'replace',
      onCorrupt,
    });
    return withTargets(batches, this.model.config.classes, this.#options, mixing(this.#options, epoch));
  }

  async validate(
    weights: Weights,
    onCorrupt: OnCorrupt,
    onPrediction: OnPrediction = () => {},
  ): Promise<Score | undefined> {
    if (!this.hasValidation) return undefined;
    setWeights(this.model, weights);
    const model = { description: this.#description, graph: this.model.graph };
    const { threads, providers, strict } = this.#options;
    const classifier = await Classifier.open(model, { threads, providers });
    const corrupt = strict ? 'throw' : 'skip';
    try {
      return await classifier.evaluate(this.#folder.validation, {
        loader: this.#loader,
        corrupt,
        onCorrupt,
        onPrediction,
      });
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

/** @throws OptionError if an option has no effect on the network's images. */
function transformsOf(
  options: TrainOptions,
  { preprocessing: validated }: ModelDescription,
  images: Images,
  size: number,
): Transforms {
  const preprocessing = atSize(validated, size);
  const { augmentation } = options;
  const named = augmentation === usualAugmentationName ? usualAugmentation[images] : augmentation;
  const given = { ...pick<Variation>(variationFields, options), augmentation: named };
  const steps = trainTransforms(preprocessing, given, images);
  const isCropped = steps.some(({ kind }) => kind === 'random-resized-crop');
  if (isCropped || isDefault(trainOptions.cropScale, options.cropScale)) return steps;
  throw new OptionError(
    trainOptions,
    (say) =>
      `${say('cropScale')} has no effect on small images, which are padded and cropped. Remove it, or choose ${say('augmentation', 'random-resized-crop')}.`,
  );
}
