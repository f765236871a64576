/** Turns logits into the most likely classes. */

import { type OptionsOf, real, whole } from '../options.ts';

/** A class and its probability. */
export interface Prediction {
  readonly label: string;
  /** From 0 to 1. The probabilities of all classes add up to 1. */
  readonly probability: number;
}

/** Which classes to list. */
export interface PredictionOptions {
  /** Maximum number of classes to list. Default: 5. */
  readonly top?: number;
  /** Minimum probability of a listed class. Default: 0. */
  readonly threshold?: number;
}

/** `PredictionOptions` with their checks and defaults. */
export const predictionFields = {
  top: whole({
    from: 1,
    default: 5,
    flag: '--top <n>',
    group: 'Output',
    doc: 'number of classes to list for each image',
  }),
  threshold: real({
    from: 0,
    to: 1,
    default: 0,
    flag: '--threshold <p>',
    group: 'Output',
    doc: 'list only classes with at least this probability',
  }),
};

/**
 * The most likely classes of one image, most likely first.
 *
 * @param logits [K], all finite.
 */
export function predictions(
  logits: Float32Array,
  labels: readonly string[],
  { top, threshold }: OptionsOf<typeof predictionFields>,
): Prediction[] {
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
