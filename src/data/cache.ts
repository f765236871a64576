/**
 * Decoded images, kept in memory from one epoch to the next. What is kept are the pixels after `prefix`: the steps before
 * the first random one, which are the same in every epoch. For small images they are nearly all of the work.
 *
 * Sample i owns slot i of a slab that all threads share, and each image makes the same bytes whoever decodes it, so
 * threads need not agree on anything: a slot is written first and declared full last. An image larger than its slot, or
 * one that cannot be read, is decoded again in every epoch. A file that changes is not noticed.
 */
import type { Image } from '#platform/images';
import { sizeAfter } from './transforms/plan.ts';
import type { Transforms } from './transforms/table.ts';

/** Plain data over shared memory, as it is posted to a worker thread. */
export interface ImageCache {
  /** Bytes of a slot. */
  readonly slot: number;
  readonly pixels: Uint8Array; // [n, slot]
  /** Width, height and channels of each image; 0 channels where there is none yet. */
  readonly shapes: Int32Array; // [n, 3]
}

/** The kept pixels of sample `index`, not to be written to. */
export function get({ slot, pixels, shapes }: ImageCache, index: number): Image | undefined {
  const channels = Atomics.load(shapes, 3 * index + 2) as 0 | 1 | 3;
  if (channels === 0) return undefined;
  const [width, height] = [shapes[3 * index]!, shapes[3 * index + 1]!];
  const start = index * slot;
  return { width, height, channels, data: pixels.subarray(start, start + width * height * channels) };
}

/** Keeps an image, if its slot can hold it. */
export function put({ slot, pixels, shapes }: ImageCache, index: number, image: Image): void {
  if (image.data.length > slot) return;
  pixels.set(image.data, index * slot);
  shapes[3 * index] = image.width;
  shapes[3 * index + 1] = image.height;
  Atomics.store(shapes, 3 * index + 2, image.channels); // last, because from now on others read the slot
}

interface CachedList {
  readonly paths: readonly string[];
  readonly prefix: string;
  readonly cache: ImageCache;
}

/** The caches of as many lists of samples as fit in `bytes` together. */
export class ImageCaches {
  readonly #lists: CachedList[] = [];
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /**
   * The cache for the images at these paths after these steps, the same one whenever both are the same. None where the
   * steps settle the images' size and not all of them fit. Otherwise the slots share out half of the memory that is left:
   * a list of larger images, few of which could be kept, takes none, because untouched pages of the slab take none.
   *
   * @param shared whether other threads use it too.
   */
  of(paths: readonly string[], prefix: Transforms, shared: boolean): ImageCache | undefined {
    const key = JSON.stringify(prefix);
    const known = this.#lists.find((list) => list.prefix === key && equal(list.paths, paths));
    if (known) return known.cache;
    const { channels, size } = sizeAfter(prefix);
    const slot = size === undefined ? Math.floor(this.#left / 2 / paths.length) : channels * size * size;
    const bytes = slot * paths.length;
    if (bytes === 0 || bytes > this.#left) return undefined;
    this.#left -= bytes;
    const Memory = shared ? SharedArrayBuffer : ArrayBuffer;
    const pixels = new Uint8Array(new Memory(bytes));
    const shapes = new Int32Array(new Memory(3 * paths.length * Int32Array.BYTES_PER_ELEMENT));
    const cache = { slot, pixels, shapes };
    this.#lists.push({ paths, prefix: key, cache });
    return cache;
  }
}

const equal = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((path, i) => path === b[i]);
