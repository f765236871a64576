/** Counts how often logits name the right class: top-1, top-5 (of all where there are fewer) and mean cross-entropy. */
export class Accuracy {
  readonly #classes: number;
  readonly #right: Float64Array;
  readonly #seen: Float64Array;
  #among5 = 0;
  #loss = 0;

  constructor(classes: number) {
    this.#classes = classes;
    this.#right = new Float64Array(classes);
    this.#seen = new Float64Array(classes);
  }

  /** logits [N, K] flat, labels [N]. A tie counts for the class that comes first; NaN is beaten by everything. */
  add(logits: Float32Array, labels: Int32Array): void {
    labels.forEach((label, n) => {
      const row = logits.subarray(n * this.#classes, (n + 1) * this.#classes);
      const own = row[label]!;
      const behind = row.filter((value, k) => own > value || (own === value && k > label)).length;
      const before = this.#classes - 1 - behind;
      const peak = row.reduce((a, b) => Math.max(a, b));
      this.#loss += Math.log(row.reduce((sum, value) => sum + Math.exp(value - peak), 0)) + peak - own;
      this.#seen[label]! += 1;
      if (before === 0) this.#right[label]! += 1;
      if (before < 5) this.#among5 += 1;
    });
  }

  /** Images so far. */
  get count(): number {
    return this.#seen.reduce((a, b) => a + b, 0);
  }

  /** Images whose class is the likeliest. */
  get correct(): number {
    return this.#right.reduce((a, b) => a + b, 0);
  }

  /** In percent, as `top5` is. */
  get top1(): number {
    return percent(this.correct, this.count);
  }

  get top5(): number {
    return percent(this.#among5, this.count);
  }

  /** Mean cross-entropy. */
  get loss(): number {
    return this.#loss / Math.max(1, this.count);
  }

  /** top-1 of each class, in percent; 0 for a class without images. */
  get perClass(): number[] {
    return Array.from(this.#right, (right, k) => percent(right, this.#seen[k]!));
  }
}

const percent = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);
