/**
 * The exponential moving average of a model in training: average ← decay · average + (1 − decay) · value, for all
 * parameters and running statistics, after the update. The decay is an input of the step, since it may change with the step.
 */
import type { FieldsOf } from '../arguments.ts';
import { flag, real, whole } from '../options.ts';

export interface AverageOptions {
  /** The decay of the moving average. Default: none is kept. */
  readonly average?: number;
  /** Updates the average in every n-th step. Default: 1. */
  readonly averageEvery?: number;
  /**
   * Lets the decay rise: in update s of the average, counted from 0, it is at most 1 − (1 + s)^(−2/3), as in timm's
   * `ModelEmaV3`. The first update copies the weights. Default: false.
   */
  readonly averageWarmup?: boolean;
}

export const averageFields: FieldsOf<AverageOptions> = {
  average: real({ from: 0, below: 1, doc: 'decay of the moving average' }),
  averageEvery: whole({ from: 1, doc: 'steps from one update of the average to the next' }),
  averageWarmup: flag({ doc: 'whether the decay of the average rises' }),
};

/** The decay in step t, counted from 1. A decay of 1 leaves the average as it is. */
export function averageDecayAt(
  { average = 0, averageEvery = 1, averageWarmup = false }: AverageOptions,
  t: number,
): number {
  if (t % averageEvery !== 0) return 1;
  const s = t / averageEvery - 1;
  return averageWarmup ? Math.min(average, 1 - (1 + s) ** (-2 / 3)) : average;
}

/** The inputs of a step that keeps an average, for its decay. (In float32, 1 − decay would lose its last digits.) */
export const averageScalars = (decay: number): { readonly averageDecay: number; readonly averageShare: number } => ({
  averageDecay: decay,
  averageShare: 1 - decay,
});
