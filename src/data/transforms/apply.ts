/** Transforms at work: from a decoded image to the network's input, in one go or with the deterministic part kept. */

import type { Image } from '#platform/images';
import { UsageError } from '../../errors.ts';
import type { Random } from '../random.ts';
import { noNormalize } from './plan.ts';
import type { Planes } from './row.ts';
import { rowOf, type Transforms } from './table.ts';

/**
 * Runs the steps on one image. All that is random comes from `random`.
 *
 * @param out where the result is written, if it has a place already.
 * @returns float32 [C, H, W]; where steps make V images of one, they stand one after the other, [V·C, H, W].
 * @throws UsageError when no step normalizes; FormatError when the image is so narrow that it cannot be resized.
 * @example applyTransforms(evaluationTransforms(imagenetPreprocessing), image, sampleRandom(0, 0, 0)) // [3, 224, 224]
 */
export function applyTransforms(steps: Transforms, image: Image, random: Random, out?: Float32Array): Float32Array {
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

/** Where each image, of which all have one size, comes to lie. */
function placesIn(result: Float32Array, images: readonly Image[]): Planes[] {
  const length = result.length / images.length;
  return images.map(({ channels, height, width }, v) => {
    const data = images.length === 1 ? result : result.subarray(v * length, (v + 1) * length);
    return { channels, height, width, data };
  });
}

/** Runs the `prefix` of `splitTransforms`. */
export function applyPrefix(prefix: Transforms, image: Image): Image {
  return prefix.reduce((current, step) => {
    const row = rowOf(step);
    const made = row.to === 'image' ? row.apply(current, step, noRandom) : current;
    return 'data' in made ? made : made[0]!;
  }, image);
}

const refuse = (): number => {
  throw new Error('A transform that is declared deterministic asked for a random number.');
};
const noRandom: Random = { float: refuse, int: refuse };
