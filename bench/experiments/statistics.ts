/** Means over seeds, their spread, and how sure a difference is. */

export interface Mean {
  readonly mean: number;
  /** The standard deviation of a sample; not a number for fewer than two values. */
  readonly deviation: number;
  readonly count: number;
}

export function meanOf(values: readonly number[]): Mean {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: count < 2 ? Number.NaN : Math.sqrt(squares / (count - 1)), count };
}

/** A mean with its 95 % confidence interval. */
export interface Estimate extends Mean {
  readonly low: number;
  readonly high: number;
}

/** The two-sided 95 % quantiles of Student's t with 1, 2, … degrees of freedom. */
const quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/**
 * The mean of some values that are taken as normally distributed, with its confidence interval by Student's t; for one value,
 * the interval is infinite.
 */
export function estimateOf(values: readonly number[]): Estimate {
  const found = meanOf(values);
  const { mean, deviation, count } = found;
  const quantile = quantiles[Math.min(count - 1, quantiles.length) - 1] ?? Infinity;
  const half = count < 2 ? Infinity : (quantile * deviation) / Math.sqrt(count);
  return { ...found, low: mean - half, high: mean + half };
}

/** Values by seed. */
export type BySeed = ReadonlyMap<number, number>;

/** The mean of a - b over the seeds that both have: what the seeds do to both alike cancels out. Undefined without any. */
export function pairedDifference(a: BySeed, b: BySeed): Estimate | undefined {
  const differences = [...a].flatMap(([seed, value]) => (b.has(seed) ? [value - b.get(seed)!] : []));
  return differences.length === 0 ? undefined : estimateOf(differences);
}

/** The slope of the straight line through some points with least squares. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const x = meanOf(points.map(([x]) => x)).mean;
  const y = meanOf(points.map(([, y]) => y)).mean;
  const products = points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0);
  return products / points.reduce((sum, [px]) => sum + (px - x) ** 2, 0);
}

/** Which side of 0 an estimate is on; 0 if its interval includes 0. */
export const signOf = ({ low, high }: Estimate): -1 | 0 | 1 => (high < 0 ? -1 : low > 0 ? 1 : 0);
