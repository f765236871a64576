/** The confusion matrix: which class images are of, and which they were taken for. Precision and recall follow from it. */

/** One class by itself; a share of nothing is 0. */
export interface ClassScore {
  readonly label: string;
  readonly images: number;
  /** Percent of the class's images that are named right, which is the class's top-1. */
  readonly recall: number;
  /** Percent of the images named so that are of the class. */
  readonly precision: number;
  /** The harmonic mean of the two, in percent. */
  readonly f1: number;
}

/** Two classes, and how many images of the one were taken for the other. */
export interface ConfusedPair {
  /** Places in the list of classes. */
  readonly label: number;
  readonly predicted: number;
  readonly images: number;
}

export class Confusion {
  /** rows[t][p]: images of class t that were taken for class p. */
  readonly rows: Uint32Array[];
  readonly #seen: Uint32Array;

  constructor(classes: number) {
    this.rows = new Array(classes).fill(new Uint32Array(classes)); // a row of its own with the first image
    this.#seen = new Uint32Array(classes);
  }

  /** `predicted` is -1 for an image that was taken for no class. */
  add(label: number, predicted: number): void {
    if (this.#seen[label] === 0) this.rows[label] = new Uint32Array(this.rows.length);
    this.#seen[label]! += 1;
    if (predicted >= 0) this.rows[label]![predicted]! += 1;
  }

  scores(labels: readonly string[]): ClassScore[] {
    const named = new Uint32Array(this.rows.length);
    for (const row of this.rows) {
      for (const [p, count] of row.entries()) named[p]! += count;
    }
    return this.rows.map((row, k) => {
      const [right, images] = [row[k]!, this.#seen[k]!];
      return {
        label: labels[k]!,
        images,
        recall: percent(right, images),
        precision: percent(right, named[k]!),
        f1: percent(2 * right, images + named[k]!),
      };
    });
  }
}

/** The classes that there are images of, those with the lowest F1 first. */
export const weakestFirst = (scores: readonly ClassScore[]): ClassScore[] =>
  scores.filter(({ images }) => images > 0).sort((a, b) => a.f1 - b.f1);

/** The place of the largest value, the first of equal ones; -1 where there is nothing but NaN. */
export function likeliest(row: Float32Array): number {
  let best = -1;
  row.forEach((value, k) => {
    if (!Number.isNaN(value) && (best < 0 || value > row[best]!)) best = k;
  });
  return best;
}

/**
 * The `most` pairs of classes that are confused most often, the most often first.
 *
 * @param confusion rows of counts, as `Evaluation` has them.
 * @example mostConfused(evaluation.confusion, 3).map(({ label, predicted }) => [classes[label], classes[predicted]])
 */
export function mostConfused(confusion: readonly Uint32Array[], most: number): ConfusedPair[] {
  const pairs = confusion.flatMap((row, label) =>
    Array.from(row.keys()).flatMap((predicted) => {
      const images = row[predicted]!;
      return images > 0 && predicted !== label ? [{ label, predicted, images }] : [];
    }),
  );
  return pairs.sort((a, b) => b.images - a.images || a.label - b.label).slice(0, most);
}

const percent = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);
