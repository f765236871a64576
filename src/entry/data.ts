/**
 * Images and transforms.
 *
 * @module resnext/data
 */

export type { Image } from '../data/image.ts';
export {
  type Augmentation,
  augmentations,
  cifarPreprocessing,
  evaluationTransforms,
  imagenetPreprocessing,
  type Preprocessing,
  preprocessingFor,
  trainTransforms,
  type Views,
} from '../data/presets.ts';
export { type Random, sampleRandom } from '../data/random.ts';
export { type Interpolation, resize } from '../data/resize.ts';
export { applyTransforms } from '../data/transforms/apply.ts';
export { type Transform, type TransformKind, type Transforms, transforms } from '../data/transforms/table.ts';
