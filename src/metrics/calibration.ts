/**
 * Calibration: whether predictions made with confidence p are right in a share p of cases. The expected calibration error
 * (ECE) is Σ_b n_b/N · |accuracy_b − confidence_b| over bins of the confidence, the probability of the predicted class.
 * Bins and edges are those of torchmetrics' `calibration_error`: equal bins [k/B, (k+1)/B), closed on the left, and a bin
 * of its own for a confidence of exactly 1.
 */

/** The predictions with a similar confidence. All numbers are shares from 0 to 1. */
export interface CalibrationBin {
  /** Confidences from `from` on, and below `to`; in the last bin, both are 1. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Share of correct predictions, and mean confidence; 0 in an empty bin. */
  readonly accuracy: number;
  readonly confidence: number;
}

export interface CalibrationResult {
  /** The expected calibration error, from 0 to 1. */
  readonly error: number;
  /** The mean confidence of all predictions, to compare with their accuracy. */
  readonly confidence: number;
  readonly bins: readonly CalibrationBin[];
}

/** The usual number of bins, without that of a confidence of 1. */
export const usualBins = 15;

/** @example const calibration = new Calibration(); calibration.add(0.9, true); calibration.result().error // 0.1 */
export class Calibration {
  readonly #edges: Float32Array;
  readonly #counts: Float64Array;
  readonly #correct: Float64Array;
  readonly #sums: Float64Array;

  constructor(bins: number = usualBins) {
    this.#edges = Float32Array.from({ length: bins + 1 }, (_, k) => k / bins);
    [this.#counts, this.#correct, this.#sums] = [0, 0, 0].map(() => new Float64Array(bins + 1)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
  }

  /** @param confidence the probability of the predicted class. A prediction that is not a number is not counted. */
  add(confidence: number, isCorrect: boolean): void {
    if (!(confidence >= 0)) return;
    const above = this.#edges.findIndex((edge) => edge > confidence);
    const bin = above < 0 ? this.#edges.length - 1 : above - 1;
    this.#counts[bin]! += 1;
    this.#sums[bin]! += confidence;
    if (isCorrect) this.#correct[bin]! += 1;
  }

  result(): CalibrationResult {
    const bins = Array.from(this.#counts, (count, k) => ({
      from: k / (this.#counts.length - 1),
      to: Math.min(1, (k + 1) / (this.#counts.length - 1)),
      count,
      accuracy: this.#correct[k]! / Math.max(1, count),
      confidence: this.#sums[k]! / Math.max(1, count),
    }));
    const total = Math.max(1, sum(this.#counts));
    const error = sum(bins.map(({ count, accuracy, confidence }) => (count / total) * Math.abs(accuracy - confidence)));
    return { error, confidence: sum(this.#sums) / total, bins };
  }
}

const sum = (values: Iterable<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
