/**
 * What a sweep of learning rates says, by the formulas of fastai's `lr_find`. The learning rate grows from step to step, the
 * loss is smoothed, and a good rate is where the smoothed loss falls, well before it rises.
 *
 *   rate of step i       low · (high / low)^(i / steps)
 *   smoothed loss        s_i / (1 − β^(i+1)), where s_i = β · s_{i−1} + (1 − β) · loss_i and β = 0.98
 *   end                  the smoothed loss is above 4 times its least value
 *   considered           all but the first tenth of the steps and the last 5
 *   valley               of the longest falling subsequence of smoothed losses, ending at e with length L, from s = e − L:
 *                        index s + ⌊q⌋ + ⌊q / 2⌋, where q = (e − s) / 3; about half of the way down
 *   steepest             where Δ loss / Δ ln rate is least
 *   lowest               where the smoothed loss is least
 *   tenthOfLowest        a tenth of that rate, which fastai calls `minimum`
 */

/** One step of a sweep. */
export interface SweepPoint {
  readonly learningRate: number;
  /** Of the batch, before the update. */
  readonly loss: number;
  readonly smoothed: number;
}

export interface Sweep {
  /** Learning rate of the first step. */
  readonly low: number;
  /** The learning rate that the step after the last would have. */
  readonly high: number;
  readonly steps: number;
}

export interface Suggestions {
  readonly valley: number;
  readonly steepest: number;
  readonly lowest: number;
  readonly tenthOfLowest: number;
}

export const usualSweep: Sweep = { low: 1e-7, high: 10, steps: 100 };

export const sweepRate = ({ low, high, steps }: Sweep, step: number): number => low * (high / low) ** (step / steps);

const smoothing = 0.98;
/** The multiple of the least smoothed loss above which a sweep ends. */
const divergence = 4;
const skippedAtEnd = 5;

/** Smooths the losses of a sweep as they come. */
export class Smoothed {
  #sum = 0;
  #decay = 1;
  #least = Infinity;

  /** @returns the smoothed loss. */
  add(loss: number): number {
    this.#sum = smoothing * this.#sum + (1 - smoothing) * loss;
    this.#decay *= smoothing;
    const value = this.#sum / (1 - this.#decay);
    this.#least = Math.min(this.#least, value);
    return value;
  }

  /** Whether the sweep ends after this smoothed loss. */
  isDiverged(value: number): boolean {
    return !(value <= divergence * this.#least);
  }
}

/** @returns undefined if the loss does not fall anywhere. */
export function suggestionsFrom(points: readonly SweepPoint[], steps: number): Suggestions | undefined {
  const considered = points.slice(Math.floor(steps / 10), -skippedAtEnd);
  const broken = considered.findIndex(({ smoothed }) => Number.isNaN(smoothed));
  const usable = broken < 0 ? considered : considered.slice(0, broken);
  const losses = usable.map(({ smoothed }) => smoothed);
  const valley = valleyIn(losses);
  if (valley === undefined) return undefined;
  const rates = usable.map(({ learningRate }) => learningRate);
  const lowest = rates[losses.indexOf(Math.min(...losses))]!;
  return { valley: rates[valley]!, steepest: rates[steepestIn(rates, losses)]!, lowest, tenthOfLowest: lowest / 10 };
}

/** The index of the suggestion by the longest valley. */
function valleyIn(losses: readonly number[]): number | undefined {
  const lengths = losses.map(() => 1);
  let end = 0;
  for (const [i, loss] of losses.entries()) {
    for (let j = 0; j < i; j++) if (loss < losses[j]!) lengths[i] = Math.max(lengths[i]!, lengths[j]! + 1);
    if (lengths[end]! < lengths[i]!) end = i;
  }
  const length = lengths[end] ?? 1;
  if (length < 2) return undefined;
  const third = length / 3;
  return Math.max(0, end - length + Math.floor(third) + Math.floor(third / 2));
}

function steepestIn(rates: readonly number[], losses: readonly number[]): number {
  const slopes = losses.slice(1).map((loss, i) => (loss - losses[i]!) / Math.log(rates[i + 1]! / rates[i]!));
  return slopes.indexOf(Math.min(...slopes));
}
