/** Options shared by several kinds of steps. */
import { list, oneOf, pair, real, whole } from '../../options.ts';
import { affineInterpolations } from '../affine.ts';
import { interpolations } from '../resize.ts';
import type { Size } from './row.ts';

export const size = whole({ from: 1, doc: 'height and width of the result' });

export const probability = real({ from: 0, to: 1, doc: 'share of the images to change' });

export const interpolation = oneOf(interpolations, { doc: 'how the image is resized' });

/** A pair of positive numbers, the smaller first. */
export function range(doc: string) {
  const numbers = pair(real({ above: 0, doc }), { doc });
  const accepts = (value: unknown): value is readonly [number, number] =>
    numbers.accepts(value) && value[0] <= value[1];
  return { ...numbers, expected: 'a pair of increasing numbers above 0', accepts };
}

/** Options of steps that shear, shift or rotate. */
export const frame = {
  interpolation: oneOf(affineInterpolations, { doc: 'how shears and rotations are interpolated' }),
  fill: list(whole({ from: 0, to: 255, doc: 'a byte' }), {
    nonEmpty: true,
    doc: 'color of what comes into the frame, a byte per channel',
  }),
};

/** For `misfit`. */
export function fillMisfit({ channels }: Size, { fill }: { readonly fill: readonly number[] }): string | undefined {
  if (fill.length === channels) return undefined;
  return `fill has ${fill.length} values, but the images have ${channels} channels.`;
}
