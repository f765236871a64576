/** Applies transforms to a decoded image, all at once or in two parts, so that the first can be cached. */

import type { Image } from '#platform/images';
import { checkArgument, checkList, hasAll, isObject, kind } from '../../arguments.ts';
import { UsageError } from '../../errors.ts';
import { either } from '../../options.ts';
import { checkPixels, pixelsKind } from '../pixels.ts';
import type { Random } from '../random.ts';
import { noNormalize } from './plan.ts';
import type { Planes } from './row.ts';
import { rowOf, type Transforms, transforms } from './table.ts';

/**
 * Applies the steps to one image, taking all randomness from `random`.
 *
 * @param out receives the result, if given.
 * @returns float32 [C, H, W], or [V·C, H, W] if the steps make V views of the image.
 * @throws UsageError if no step normalizes, or there is no such step; FormatError if the image is incomplete or too narrow
 *   to resize.
 * @example applyTransforms(evaluationTransforms(imagenetPreprocessing), image, sampleRandom(0, 0, 0)) // [3, 224, 224]
 */
export function applyTransforms(steps: Transforms, image: Image, random: Random, out?: Float32Array): Float32Array {
  checkList('steps', steps, stepKind);
  checkArgument('image', image, pixelsKind);
  checkPixels(image);
  checkArgument('random', random, randomKind);
  return applySteps(steps, image, random, out);
}

/** `applyTransforms` of steps and pixels that are checked already. */
export function applySteps(steps: Transforms, image: Image, random: Random, out?: Float32Array): Float32Array {
  let images: readonly Image[] = [image];
  let result: Float32Array | undefined;
  let planes: readonly Planes[] = []; // views of `result`
  for (const step of steps) {
    const row = rowOf(step);
    if (row.from === 'tensor') {
      for (const each of planes) row.apply(each, step, random);
    } else if (row.to === 'image') {
      images = images.flatMap((each) => row.apply(each, step, random));
    } else {
      result = out ?? new Float32Array(images.length * images[0]!.data.length); // [V·C, H, W]
      planes = placesIn(result, images);
      for (const [v, each] of images.entries()) row.apply(each, step, planes[v]!.data);
    }
  }
  if (result) return result;
  throw new UsageError(noNormalize);
}

const stepKind = kind(
  `a step with a kind: ${either(Object.keys(transforms))}`,
  (step) => isObject(step) && typeof step.kind === 'string' && Object.hasOwn(transforms, step.kind),
);
const randomKind = kind('random numbers, as of sampleRandom', (random) => hasAll(random, 'float', 'int'));

/** The part of the result for each image. All images have the same size. */
function placesIn(result: Float32Array, images: readonly Image[]): Planes[] {
  const length = result.length / images.length;
  return images.map(({ channels, height, width }, v) => {
    const data = images.length === 1 ? result : result.subarray(v * length, (v + 1) * length);
    return { channels, height, width, data };
  });
}

/** Applies the `prefix` of `splitTransforms`. */
export function applyPrefix(prefix: Transforms, image: Image): Image {
  return prefix.reduce((current, step) => {
    const row = rowOf(step);
    const made = row.to === 'image' ? row.apply(current, step, noRandom) : current;
    return 'data' in made ? made : made[0]!;
  }, image);
}

const refuse = (): number => {
  throw new Error('A transform declared as deterministic used a random number.');
};
const noRandom: Random = { float: refuse, int: refuse };
