/**
 * Seeded random numbers that depend only on their purpose, not on the order of work, the number of threads or the machine.
 * Each image has its own generator in each epoch, so an epoch can be repeated, or resumed in the middle.
 *
 * The words (purpose, seed, epoch, index) are hashed four times into the 128-bit state of xoroshiro128+ (pure-rand), so
 * neighboring images and epochs are unrelated. The hash is MurmurHash3's mixing of 32-bit words.
 */

import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** A generator of random numbers, as returned by `sampleRandom`. */
export interface Random {
  /** Uniform in [0, 1), with 53 bits. */
  float(): number;
  /** A uniform integer in [lo, hi), which excludes `hi`. */
  int(lo: number, hi: number): number;
}

const purposes = { sample: 1, permutation: 2 } as const;

/**
 * The generator for one sample in one epoch. `index` is the sample's index in the dataset, not in the shuffled order.
 *
 * @example applyTransforms(trainTransforms(cifarPreprocessing, 'pad-and-crop'), image, sampleRandom(1, 0, 0))
 */
export const sampleRandom = (seed: number, epoch: number, index: number): Random =>
  generator([purposes.sample, ...words(seed), epoch, index]);

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

/** A seed can be any safe integer: both halves are used. */
const words = (seed: number): [number, number] => [seed | 0, Math.floor(seed / 2 ** 32) | 0];

function generator(key: readonly number[]): Random {
  const state = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x6a09e667].map((start) => hash(start, key)); // any four constants
  const source = xoroshiro128plusFromState(state);
  const float = () => uniformFloat64(source);
  return { float, int: (lo, hi) => lo + Math.floor(float() * (hi - lo)) };
}

function hash(start: number, key: readonly number[]): number {
  let h = start;
  for (const word of key) {
    const k = Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
    h = (Math.imul(rotate(h ^ k, 13), 5) + 0xe6546b64) | 0;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const rotate = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));
