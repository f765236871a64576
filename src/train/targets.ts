/** What a batch's logits should come to: class probabilities. */

/** One-hot rows, or with smoothing s: 1 − s for the class and s/K for every class. */
export function fillTargets(targets: Float32Array, labels: Int32Array, smoothing: number): void {
  const classes = targets.length / labels.length;
  targets.fill(smoothing / classes);
  labels.forEach((label, n) => {
    targets[n * classes + label]! += 1 - smoothing;
  });
}
