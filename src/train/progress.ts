/** The progress of a run, as saved in checkpoints: its epoch, its step within the epoch, and the epoch's sums. */
import { Accuracy } from '../metrics/accuracy.ts';

export interface Progress {
  readonly epoch: number;
  readonly step: number;
  /** Steps since the start of the run. */
  readonly steps: number;
  /** Sum over the epoch so far of loss times images. */
  readonly lossSum: number;
  /** Images of the epoch so far that were classified correctly, and all images. */
  readonly correct: number;
  readonly count: number;
  /** Images that could not be read. */
  readonly corrupt: number;
  /** The best epoch's figure on the validation images, by which it is the best (`bestBy`); percentages from 0 to 100. */
  readonly best: number;
  /** That epoch, counted from 1; 0 before the first. */
  readonly bestEpoch: number;
}

/** The progress of a new run. */
export const noProgress: Progress = {
  epoch: 0,
  step: 0,
  steps: 0,
  lossSum: 0,
  correct: 0,
  count: 0,
  corrupt: 0,
  best: 0,
  bestEpoch: 0,
};

/** The progress after one more step with this loss and these logits [B, K]. */
export function afterStep(progress: Progress, loss: number, logits: Float32Array, labels: Int32Array): Progress {
  const accuracy = new Accuracy(logits.length / labels.length);
  accuracy.add(logits, labels);
  return {
    ...progress,
    step: progress.step + 1,
    steps: progress.steps + 1,
    lossSum: progress.lossSum + loss * labels.length,
    correct: progress.correct + accuracy.correct,
    count: progress.count + labels.length,
  };
}

/** The progress at the start of the same epoch, which is done again. */
export const epochAgain = ({ epoch, steps, best, bestEpoch }: Progress): Progress => ({
  ...noProgress,
  ...{ epoch, steps, best, bestEpoch },
});

/** The progress at the start of the next epoch. @param best the epoch's figure, if it is the best so far. */
export const afterEpoch = ({ epoch, steps, ...before }: Progress, best?: number): Progress => ({
  ...noProgress,
  epoch: epoch + 1,
  steps,
  ...(best === undefined ? { best: before.best, bestEpoch: before.bestEpoch } : { best, bestEpoch: epoch + 1 }),
});

/** Means over the epoch so far; top-1 in percent. */
export const meansOf = ({ lossSum, correct, count }: Progress): { loss: number; top1: number } => ({
  loss: lossSum / count,
  top1: (100 * correct) / count,
});
