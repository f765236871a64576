/**
 * Limits on the pixels of one image, and on those of all images that the threads of a pool decode at once. A file of a few
 * bytes can ask for any number of pixels, so a thread reserves memory for an image before it decodes it.
 */
import { real } from '../options.ts';

/** The option, for the tables of the command line and the library. */
export const maxMegapixels = real({
  above: 0,
  to: 1000,
  default: 100,
  flag: '--max-megapixels <n>',
  group: 'Machine',
  doc: 'megapixels of the largest image to read, and of all images that are decoded at once',
});

/** Plain data, which can be posted to a worker thread. */
export interface PixelBudget {
  readonly maxMegapixels: number;
  /** Pixels that may still be reserved: one number that all threads share. */
  readonly left: Int32Array;
}

/** @param shared whether other threads use it too. */
export function pixelBudget(maxMegapixels: number, shared: boolean): PixelBudget {
  const left = new Int32Array(new (shared ? SharedArrayBuffer : ArrayBuffer)(Int32Array.BYTES_PER_ELEMENT));
  left[0] = Math.ceil(maxMegapixels * 1e6);
  return { maxMegapixels, left };
}

/** Milliseconds between two attempts to reserve pixels. */
const pause = 5;

/** Runs `action` when the budget has this many pixels left, which are reserved until it ends. */
export async function withPixels<T>({ left }: PixelBudget, pixels: number, action: () => Promise<T>): Promise<T> {
  while (!reserve(left, pixels)) await new Promise((resolve) => setTimeout(resolve, pause));
  try {
    return await action();
  } finally {
    Atomics.add(left, 0, pixels);
  }
}

function reserve(left: Int32Array, pixels: number): boolean {
  for (;;) {
    const found = Atomics.load(left, 0);
    if (found < pixels) return false;
    if (Atomics.compareExchange(left, 0, found, found - pixels) === found) return true;
  }
}
