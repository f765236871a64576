/** Top-1 and top-5 accuracy and mean cross-entropy of logits. With fewer than 5 classes, top-5 is 100 %. */
export class Accuracy {
  readonly #classes: number;
  readonly #correct: Float64Array;
  readonly #images: Float64Array;
  #correct5 = 0;
  #loss = 0;

  constructor(classes: number) {
    this.#classes = classes;
    this.#correct = new Float64Array(classes);
    this.#images = new Float64Array(classes);
  }

  /** Adds flat logits [N, K] and labels [N]. In a tie the first class wins; NaN loses to everything. */
  add(logits: Float32Array, labels: Int32Array): void {
    labels.forEach((label, n) => {
      const row = logits.subarray(n * this.#classes, (n + 1) * this.#classes);
      const own = row[label]!;
      const behind = row.filter((value, k) => own > value || (own === value && k > label)).length;
      const before = this.#classes - 1 - behind;
      this.#loss += crossEntropy(row, label);
      this.#images[label]! += 1;
      if (before === 0) this.#correct[label]! += 1;
      if (before < 5) this.#correct5 += 1;
    });
  }

  /** Number of images. */
  get count(): number {
    return this.#images.reduce((a, b) => a + b, 0);
  }

  /** Number of images whose class has the largest logit. */
  get correct(): number {
    return this.#correct.reduce((a, b) => a + b, 0);
  }

  /** In percent. */
  get top1(): number {
    return percent(this.correct, this.count);
  }

  get top5(): number {
    return percent(this.#correct5, this.count);
  }

  /** Mean cross-entropy. */
  get loss(): number {
    return this.#loss / Math.max(1, this.count);
  }

  /** Top-1 accuracy of each class in percent; 0 for a class without images. */
  get perClass(): number[] {
    return Array.from(this.#correct, (correct, k) => percent(correct, this.#images[k]!));
  }
}

const percent = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);

/** −log of the probability of a class, given logits [K]. */
export function crossEntropy(logits: Float32Array, label: number): number {
  const peak = logits.reduce((a, b) => Math.max(a, b));
  return Math.log(logits.reduce((sum, value) => sum + Math.exp(value - peak), 0)) + peak - logits[label]!;
}
