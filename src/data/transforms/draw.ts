/** Drawing and rounding numbers in random steps. */
import { fillNormal } from '../../random.ts';
import type { Random } from '../random.ts';

type Range = readonly [number, number];

export const between = (random: Random, [lo, hi]: Range): number => lo + random.float() * (hi - lo);

/** Uniform in the logarithm, so that values below 1 / x are as frequent as values above x. */
export const logBetween = (random: Random, [lo, hi]: Range): number =>
  Math.exp(between(random, [Math.log(lo), Math.log(hi)]));

/** Independent normal numbers of mean 0. */
export function normals(random: Random, count: number, deviation: number): Float32Array {
  const numbers = new Float32Array(count);
  fillNormal(numbers, deviation, () => 1 - random.float()); // above 0, for its logarithm
  return numbers;
}

/** Python's round(): halves round to even. */
export function roundToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
