/** Seeded random numbers: uniform, normal, and bytes. */
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

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
