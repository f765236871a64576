/**
 * From the loader's batches to the trainer's: targets are smoothed, then mixed with the images, then cut by a threshold.
 * Smoothing is linear in the target, so it makes no difference whether it comes before or after mixing; timm has the same
 * order, torchvision the other. The threshold is not linear, and comes last, as in timm.
 */
import type { Batch } from '../data/loader.ts';
import { applyMix, dominatingLabels, drawMix } from '../data/mix.ts';
import { mixRandom } from '../data/random.ts';
import type { TrainOptions } from './options.ts';

/** Valid until the next batch is requested. */
export interface TrainingBatch {
  /** [B, C, H, W], or features [B, F]. */
  readonly images: Float32Array;
  /** Class probabilities [B, K]. */
  readonly targets: Float32Array;
  /** The class with the largest share of each target: [B]. */
  readonly labels: Int32Array;
}

type Labeled = Pick<Batch, 'images' | 'labels'>;

/** Adds one-hot targets. With smoothing s, each class gets s/K, and the label 1 − s more. */
export async function* withTargets<B extends Labeled>(
  batches: AsyncIterable<B>,
  classes: number,
  { labelSmoothing, targetThreshold }: Pick<TrainOptions, 'labelSmoothing' | 'targetThreshold'>,
  mix: (batch: B, targets: Float32Array) => Int32Array = ({ labels }) => labels,
): AsyncGenerator<TrainingBatch> {
  for await (const batch of batches) {
    const targets = smoothedTargets(batch.labels, classes, labelSmoothing);
    const labels = mix(batch, targets);
    if (targetThreshold > 0) for (const [i, share] of targets.entries()) targets[i] = share > targetThreshold ? 1 : 0;
    yield { images: batch.images, targets, labels };
  }
}

function smoothedTargets(labels: Int32Array, classes: number, smoothing: number): Float32Array {
  const targets = new Float32Array(labels.length * classes).fill(smoothing / classes);
  labels.forEach((label, n) => {
    targets[n * classes + label]! += 1 - smoothing;
  });
  return targets;
}

/**
 * Mixes the images and targets of an epoch's batches in place, as the options have it. How depends on (seed, epoch, batch)
 * alone. Returns the labels that dominate.
 */
export const mixing =
  ({ mixup, cutmix, mixEpochs, repeats, seed }: TrainOptions, epoch: number) =>
  ({ number, dims, images, labels }: Batch, targets: Float32Array): Int32Array => {
    if (mixEpochs > 0 && epoch >= mixEpochs) return labels;
    const mix = drawMix({ mixup, cutmix }, dims, mixRandom(seed, epoch, number));
    if (!mix) return labels;
    applyMix({ dims, images, targets }, mix, repeats);
    return dominatingLabels(targets, labels.length);
  };
