/**
 * Images and transforms: decoding, resizing, augmentation, and loading in the background.
 *
 * @module resnext/data
 */

export type { Image } from '#platform/images';
export {
  type Augmentation,
  augmentations,
  type TrainTransformOptions,
  trainTransforms,
  type Variation,
} from '../data/augmentations.ts';
export { decode, type ImageSource, type NamedImage, type ReadImageOptions, readImage } from '../data/image-source.ts';
export { type Batch, type EpochOptions, Loader, type LoaderOptions } from '../data/loader.ts';
export { WorkerPool, type WorkerPoolOptions } from '../data/pool.ts';
export {
  cifarPreprocessing,
  evaluationTransforms,
  imagenetPreprocessing,
  type Preprocessing,
  preprocessingFor,
  type Views,
} from '../data/presets.ts';
export { type Random, sampleRandom } from '../data/random.ts';
export { type Interpolation, resize } from '../data/resize.ts';
export type { LabeledImage, MadeSample, PackedSample, Sample, SampleList } from '../data/samples.ts';
export { applyTransforms } from '../data/transforms/apply.ts';
export { type Transform, type TransformKind, type Transforms, transforms } from '../data/transforms/table.ts';
export { type ClassScore, type ConfusedPair, mostConfused } from '../metrics/confusion.ts';
