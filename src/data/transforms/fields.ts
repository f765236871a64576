/** Options shared by several kinds of steps. */
import { oneOf, pair, real, whole } from '../../options.ts';
import { interpolations } from '../resize.ts';

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
