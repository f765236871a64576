/** How evenly the training images are spread over the classes. */
import { countsByLabel } from '../data/samples.ts';
import type { TrainOptions } from './options.ts';
import type { Samples } from './training-data.ts';

/** A sentence on classes of very different sizes, if they are. */
export function unevenness(
  { classes, train }: Pick<Samples, 'classes' | 'train'>,
  { classWeights, sampling }: Pick<TrainOptions, 'classWeights' | 'sampling'>,
): string | undefined {
  const counts = countsByLabel(train, classes.length);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  if (!isUneven(counts)) return undefined;
  const [rare, common] = [classes[counts.indexOf(least)], classes[counts.indexOf(most)]];
  const isHandled = classWeights !== 'none' || sampling === 'balanced';
  const advice = isHandled ? '' : ' Otherwise try --class-weights balanced or --sampling balanced.';
  return `The classes are uneven: "${common}" has ${most} training images, "${rare}" only ${least}. Rare classes hardly change top-1, so look at balanced accuracy and macro F1, too; more images of rare classes help most.${advice}`;
}

/** Whether a class has at least four times as many images as another. */
export const isUneven = (counts: readonly number[]): boolean => Math.max(...counts) >= 4 * Math.min(...counts);
