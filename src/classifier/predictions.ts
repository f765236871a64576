/** From logits to the likeliest classes. */

import { UsageError } from '../errors.ts';
import { checkGiven, whole } from '../options.ts';

export interface Prediction {
  readonly label: string;
  /** Between 0 and 1; over all classes they add up to 1. */
  readonly probability: number;
}

export interface PredictionOptions {
  /** How many classes to name at most; 5 unless given. */
  readonly top?: number;
  /** Only classes that are at least so likely, between 0 and 1; 0 unless given. */
  readonly threshold?: number;
}

/**
 * The likeliest classes of one image, the likeliest first.
 *
 * @throws UsageError for options out of range, or logits that are no numbers, as a net gives whose training diverged.
 */
export function predictions(
  logits: Float32Array,
  labels: readonly string[],
  { top = 5, threshold = 0 }: PredictionOptions,
): Prediction[] {
  checkGiven({ top: whole({ from: 1, doc: 'number of classes' }) }, { top });
  if (logits.some(Number.isNaN)) {
    throw new UsageError('The net gives NaN: its weights are broken, as after a training that diverged.');
  }
  const probabilities = softmax(logits);
  const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b]! - probabilities[a]!);
  const named = order.slice(0, top).map((k) => ({ label: labels[k]!, probability: probabilities[k]! }));
  return named.filter(({ probability }) => probability >= threshold);
}

export function softmax(logits: Float32Array): Float32Array {
  const peak = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - peak));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** [N·V, K] → [N, K], flat: the mean over the V views of each image. */
export function averageViews(logits: Float32Array, views: number, classes: number): Float32Array {
  if (views === 1) return logits;
  const means = new Float32Array(logits.length / views); // [N, K]
  for (let n = 0; n < means.length / classes; n++) {
    for (let k = 0; k < classes; k++) {
      let sum = 0;
      for (let v = 0; v < views; v++) sum += logits[(n * views + v) * classes + k]!;
      means[n * classes + k] = sum / views;
    }
  }
  return means;
}
