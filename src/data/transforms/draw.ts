/** Drawing and rounding numbers in random steps. */
import type { Random } from '../random.ts';

type Range = readonly [number, number];

export const between = (random: Random, [lo, hi]: Range): number => lo + random.float() * (hi - lo);

/** Uniform in the logarithm, so that values below 1 / x are as frequent as values above x. */
export const logBetween = (random: Random, [lo, hi]: Range): number =>
  Math.exp(between(random, [Math.log(lo), Math.log(hi)]));

/** Python's round(): halves round to even. */
export function roundToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
