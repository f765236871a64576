/** Numbers as random steps draw and round them. */
import type { Random } from '../random.ts';

type Range = readonly [number, number];

export const between = (random: Random, [lo, hi]: Range): number => lo + random.float() * (hi - lo);

/** Uniform in the logarithm: as often below 1 / x as above x. */
export const logBetween = (random: Random, [lo, hi]: Range): number =>
  Math.exp(between(random, [Math.log(lo), Math.log(hi)]));

/** Python's round(): halves go to the even neighbor. */
export function roundToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
