/**
 * Weights of the classes in the loss, so that rare ones count. They depend on n, the number of training images of a class:
 *
 *   balanced    N / (K·n), so that all classes together weigh as much as the images (scikit-learn's `balanced`)
 *   effective   (1 − β) / (1 − β^n), β = 0.9999, scaled to a sum of K: nearly 1 / n for a few images, and hardly less for
 *               many more than 1 / (1 − β) of them (Cui et al., "Class-Balanced Loss", 2019)
 */
import type { StepOptions } from '../step/step.ts';

export type ClassWeights = 'none' | 'balanced' | 'effective';

const beta = 0.9999;

const weightOf = {
  balanced: (images: number) => 1 / images,
  effective: (images: number) => (1 - beta) / (1 - beta ** images),
} as const;

/**
 * The weight of each class. Classes without images have weight 1 and are not counted.
 *
 * @param counts the number of training images of each class.
 * @returns the option of a training step; empty if all weigh the same.
 * @example classWeightsOf('balanced', [30, 10]) // { classWeights: [0.667, 2] }
 */
export function classWeightsOf(kind: ClassWeights, counts: readonly number[]): Pick<StepOptions, 'classWeights'> {
  if (kind === 'none') return {};
  const raw = counts.map((images) => (images === 0 ? 0 : weightOf[kind](images)));
  const classes = counts.filter((images) => images > 0).length;
  const total = counts.reduce((sum, images) => sum + images, 0);
  const scale = kind === 'balanced' ? total / classes : classes / raw.reduce((sum, weight) => sum + weight, 0);
  return { classWeights: raw.map((weight) => (weight === 0 ? 1 : weight * scale)) };
}
