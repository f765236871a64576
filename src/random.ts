/**
 * Seeded random numbers: uniform, normal, and bytes, in sequence from a seed, or from a key of several numbers, such as a
 * seed, an epoch and an image, so that what is random depends on these alone and not on the order of work.
 *
 * The words of a key are hashed four times into the 128-bit state of xoroshiro128+ (pure-rand), so neighboring keys give
 * unrelated numbers. The hash is MurmurHash3's mixing of 32-bit words.
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus, xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** A generator of uniform numbers in (0, 1), with 32 random bits each. */
export function uniform(seed: number): () => number {
  const generator = xoroshiro128plus(seed);
  return () => ((generator.next() >>> 0) + 0.5) / 2 ** 32;
}

/** Fills an array with normal numbers of mean 0 (Box–Muller: two uniform numbers give two independent normal ones). */
export function fillNormal(data: Float32Array, deviation: number, random: () => number): void {
  for (let i = 0; i < data.length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(random()));
    const angle = 2 * Math.PI * random();
    data[i] = radius * Math.cos(angle);
    if (i + 1 < data.length) data[i + 1] = radius * Math.sin(angle);
  }
}

/** Fills an array with uniform bytes from 0 to 255. */
export function fillBytes(data: Uint8Array, random: () => number): void {
  for (let i = 0; i < data.length; i++) data[i] = 256 * random();
}

/** A generator of random numbers. */
export interface Random {
  /** Uniform in [0, 1), with 53 bits. */
  float(): number;
  /** A uniform integer in [lo, hi), which excludes `hi`. */
  int(lo: number, hi: number): number;
}

/** The first word of a key, so that different purposes get unrelated numbers. */
export const purposes = { sample: 1, permutation: 2, mix: 3, draw: 4, dropPath: 16, dropout: 17 } as const;

/** A seed can be any safe integer: both halves are used. */
export const words = (seed: number): [number, number] => [seed | 0, Math.floor(seed / 2 ** 32) | 0];

/**
 * The generator for a key of 32-bit words.
 *
 * @example generator([purposes.sample, ...words(seed), epoch, image])
 */
export function generator(key: readonly number[]): Random {
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
