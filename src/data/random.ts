/**
 * Seeded random numbers that depend only on their purpose, not on the order of work, the number of threads or the machine.
 * Each image has its own generator in each epoch, so an epoch can be repeated, or resumed in the middle.
 */

import { generator, purposes, type Random, words } from '../random.ts';

export type { Random };

/**
 * The generator for one sample in one epoch. `index` is the sample's index in the dataset, not in the shuffled order.
 *
 * @param repetition how often the epoch has had the sample before. Each time, the numbers are others.
 * @example applyTransforms(trainTransforms(cifarPreprocessing, 'pad-and-crop'), image, sampleRandom(1, 0, 0))
 */
export const sampleRandom = (seed: number, epoch: number, index: number, repetition = 0): Random =>
  generator([purposes.sample, ...words(seed), epoch, index, ...(repetition > 0 ? [repetition] : [])]);

/** The generator for what mixes the images of one batch. */
export const mixRandom = (seed: number, epoch: number, batch: number): Random =>
  generator([purposes.mix, ...words(seed), epoch, batch]);

/** The generator for the images that an epoch draws. */
export const drawRandom = (seed: number, epoch: number): Random => generator([purposes.draw, ...words(seed), epoch]);

/** The integers 0 … n - 1 in a random order (Fisher and Yates). */
export function permutation(n: number, seed: number, epoch: number): Uint32Array {
  const random = generator([purposes.permutation, ...words(seed), epoch]);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.int(0, i + 1);
    const last = order[i]!;
    order[i] = order[j]!;
    order[j] = last;
  }
  return order;
}
