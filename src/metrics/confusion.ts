/** The confusion matrix of true and predicted classes, and the precision and recall of each class. */

/** The scores of one class. Ratios with a denominator of 0 are 0. */
export interface ClassScore {
  readonly label: string;
  readonly images: number;
  /** Percentage of the class's images that are predicted correctly: the class's top-1 accuracy. */
  readonly recall: number;
  /** Percentage of the images predicted as this class that belong to it. */
  readonly precision: number;
  /** The harmonic mean of recall and precision, in percent. */
  readonly f1: number;
}

/** Accuracy as means over classes, in percent. */
export interface ClassMeans {
  /** The mean recall of the classes that have images. */
  readonly balancedAccuracy: number;
  /** The mean F1 of the classes that have images or are predicted. */
  readonly macroF1: number;
}

/** Two classes, and the number of images of `label` that were predicted as `predicted`. */
export interface ConfusedPair {
  /** Class indices. */
  readonly label: number;
  readonly predicted: number;
  readonly images: number;
}

export class Confusion {
  /** rows[t][p]: number of images of class t that were predicted as class p. */
  readonly rows: Uint32Array[];
  readonly #images: Uint32Array;

  constructor(classes: number) {
    this.rows = new Array(classes).fill(new Uint32Array(classes)); // shared until a class has its first image
    this.#images = new Uint32Array(classes);
  }

  /** `predicted` is -1 for an image without a prediction. */
  add(label: number, predicted: number): void {
    if (this.#images[label] === 0) this.rows[label] = new Uint32Array(this.rows.length);
    this.#images[label]! += 1;
    if (predicted >= 0) this.rows[label]![predicted]! += 1;
  }

  /** Adds flat logits [N, K] and labels [N]. */
  addAll(logits: Float32Array, labels: Int32Array): void {
    const classes = this.rows.length;
    labels.forEach((label, n) => {
      this.add(label, argmax(logits.subarray(n * classes, (n + 1) * classes)));
    });
  }

  scores(labels: readonly string[]): ClassScore[] {
    return this.#counts().map(({ correct, images, predicted }, k) => ({
      label: labels[k]!,
      images,
      recall: percent(correct, images),
      precision: percent(correct, predicted),
      f1: percent(2 * correct, images + predicted),
    }));
  }

  /**
   * Both means over classes, in percent. They weigh every class alike, however many images it has, and are defined as in
   * scikit-learn: `balanced_accuracy_score`, and `f1_score` with `average='macro'`.
   */
  means(): ClassMeans {
    const counts = this.#counts();
    const present = counts.filter(({ images }) => images > 0);
    const involved = counts.filter(({ images, predicted }) => images + predicted > 0);
    return {
      balancedAccuracy: mean(present.map(({ correct, images }) => percent(correct, images))),
      macroF1: mean(involved.map(({ correct, images, predicted }) => percent(2 * correct, images + predicted))),
    };
  }

  /** Of each class: images predicted correctly, its images, and images predicted as it. */
  #counts(): { correct: number; images: number; predicted: number }[] {
    const predicted = new Uint32Array(this.rows.length);
    for (const row of this.rows) {
      for (const [p, count] of row.entries()) predicted[p]! += count;
    }
    return this.rows.map((row, k) => ({ correct: row[k]!, images: this.#images[k]!, predicted: predicted[k]! }));
  }
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);

/** The classes that have images, lowest F1 first. */
export const weakestFirst = (scores: readonly ClassScore[]): ClassScore[] =>
  scores.filter(({ images }) => images > 0).sort((a, b) => a.f1 - b.f1);

/** The index of the largest value, or the first of several; -1 if all are NaN. */
export function argmax(row: Float32Array): number {
  let best = -1;
  row.forEach((value, k) => {
    if (!Number.isNaN(value) && (best < 0 || value > row[best]!)) best = k;
  });
  return best;
}

/**
 * The pairs of classes that are confused most often, in descending order.
 *
 * @param confusion rows of counts, as in `Evaluation`.
 * @example mostConfused(evaluation.confusion, 3).map(({ label, predicted }) => [classes[label], classes[predicted]])
 */
export function mostConfused(confusion: readonly Uint32Array[], limit: number): ConfusedPair[] {
  const pairs = confusion.flatMap((row, label) =>
    Array.from(row.keys()).flatMap((predicted) => {
      const images = row[predicted]!;
      return images > 0 && predicted !== label ? [{ label, predicted, images }] : [];
    }),
  );
  return pairs.sort((a, b) => b.images - a.images || a.label - b.label).slice(0, limit);
}

const percent = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);
