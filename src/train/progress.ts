/** Where a run stands, as its checkpoints hold it: in which epoch, after how many of its steps, with the epoch's sums. */
import { Accuracy } from '../metrics/accuracy.ts';

export interface Progress {
  readonly epoch: number;
  readonly step: number;
  /** Steps since the beginning of the run. */
  readonly steps: number;
  /** Loss times images, over the epoch so far. */
  readonly lossSum: number;
  /** Images of the epoch whose class was the likeliest, and all of them. */
  readonly correct: number;
  readonly count: number;
  /** Images that could not be read. */
  readonly corrupt: number;
  /** Best top-1 on the validation images so far, in percent. */
  readonly best: number;
}

/** A run that has not begun. */
export const noProgress: Progress = {
  epoch: 0,
  step: 0,
  steps: 0,
  lossSum: 0,
  correct: 0,
  count: 0,
  corrupt: 0,
  best: 0,
};

/** After one more step: its loss, and the logits [B, K] that its update started from. */
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

/** At the start of the next epoch. */
export const afterEpoch = ({ epoch, steps }: Progress, best: number): Progress => ({
  ...noProgress,
  epoch: epoch + 1,
  steps,
  best,
});

/** Means over the epoch so far; top-1 in percent. */
export const meansOf = ({ lossSum, correct, count }: Progress): { loss: number; top1: number } => ({
  loss: lossSum / count,
  top1: (100 * correct) / count,
});
