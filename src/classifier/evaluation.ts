/** Measures a classifier on labeled images, which are loaded in the background. */
import type { Batch, EpochOptions, Loader } from '../data/loader.ts';
import type { LabeledList } from '../data/samples.ts';
import type { Transforms } from '../data/transforms/table.ts';
import { UsageError } from '../errors.ts';
import { Accuracy, crossEntropy } from '../metrics/accuracy.ts';
import { Calibration, type CalibrationResult } from '../metrics/calibration.ts';
import { argmax, type ClassMeans, type ClassScore, Confusion } from '../metrics/confusion.ts';
import { imagesPerBatch } from './outcomes.ts';
import { softmax } from './predictions.ts';

export interface Evaluation extends ClassMeans {
  readonly images: number;
  /** Percentage of images whose class is the most likely one, or among the five most likely. */
  readonly top1: number;
  readonly top5: number;
  /** Mean cross-entropy. */
  readonly loss: number;
  /** top1 of each class by name. */
  readonly classes: Readonly<Record<string, number>>;
  /** The scores of each class, in the model's order. */
  readonly scores: readonly ClassScore[];
  /** confusion[t][p]: number of images of class t that were predicted as class p. */
  readonly confusion: readonly Uint32Array[];
  /** Whether predictions are right as often as their probability says. */
  readonly calibration: CalibrationResult;
}

/** A model to measure: its transforms, classes and network. */
export interface Measured {
  readonly transforms: Transforms;
  readonly labels: readonly string[];
  /** Prepared images → logits [N, K]. */
  readonly logits: (images: Float32Array) => Promise<Float32Array>;
  readonly loader: Loader;
}

/** How images are read, and what is reported meanwhile. */
export interface MeasureOptions extends Pick<EpochOptions, 'corrupt' | 'onCorrupt'> {
  /** Number of images to run at a time, counting each view of an image. Default: 64. */
  readonly batchSize?: number;
  /** Default: a loader on the classifier's worker threads. */
  readonly loader?: Loader;
  readonly onProgress?: (done: number, total: number) => void;
  /** Called for each image with its index in `samples`, the most likely class and its probability, and the cross-entropy. */
  readonly onPrediction?: (index: number, predicted: number, probability: number, loss: number) => void;
}

/** @throws UsageError if there are no samples; FormatError for an image that cannot be read, with `corrupt: 'throw'`. */
export async function measure(
  samples: LabeledList,
  { transforms, labels, logits, loader }: Measured,
  options: MeasureOptions,
): Promise<Evaluation> {
  const { corrupt = 'skip', onCorrupt = () => {} } = options;
  if (samples.length === 0) throw new UsageError('There are no images to evaluate. Give at least one.');
  const batchSize = Math.min(imagesPerBatch(options.batchSize ?? 64, transforms), samples.length);
  const [accuracy, confusion] = [new Accuracy(labels.length), new Confusion(labels.length)];
  const calibration = new Calibration();
  let done = 0;
  for await (const batch of loader.batches({ samples, transforms, batchSize, corrupt, onCorrupt })) {
    const { images, count } = batch;
    const rows = await logits(images.subarray(0, (images.length / batchSize) * count)); // [n, K]
    accuracy.add(rows, batch.labels.subarray(0, count));
    confuse(batch, rows, { confusion, calibration }, options);
    done += count;
    options.onProgress?.(done, samples.length);
  }
  const scores = confusion.scores(labels);
  const { count: images, top1, top5, loss } = accuracy;
  const classes = Object.fromEntries(scores.map(({ label, recall }) => [label, recall]));
  const perClass = { classes, scores, confusion: confusion.rows };
  return { images, top1, top5, ...confusion.means(), loss, ...perClass, calibration: calibration.result() };
}

function confuse(
  { labels, indices, count }: Batch,
  logits: Float32Array,
  { confusion, calibration }: { readonly confusion: Confusion; readonly calibration: Calibration },
  { onPrediction }: MeasureOptions,
): void {
  const classes = confusion.rows.length;
  for (let n = 0; n < count; n++) {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    const [label, predicted] = [labels[n]!, argmax(row)];
    const probability = softmax(row)[predicted] ?? Number.NaN;
    confusion.add(label, predicted);
    calibration.add(probability, predicted === label);
    onPrediction?.(indices[n]!, predicted, probability, crossEntropy(row, label));
  }
}
