/**
 * Keeps decoded images in memory from one epoch to the next: the pixels after `prefix`, the steps before the first random
 * one, which are the same in every epoch. For small images they are nearly all of the work.
 *
 * Sample i has slot i of a slab that all threads share. Every thread decodes an image to the same bytes, so threads need
 * no locks: a slot is first written, then marked as full. An image that is larger than its slot or cannot be read is
 * decoded again in every epoch. Changes to a file during a run are not noticed.
 */
import type { Image } from '#platform/images';
import type { SampleList } from './samples.ts';
import { sizeAfter } from './transforms/plan.ts';
import type { Transforms } from './transforms/table.ts';

/** Plain data in shared memory, which can be posted to a worker thread. */
export interface ImageCache {
  /** Bytes of a slot. */
  readonly slot: number;
  readonly pixels: Uint8Array; // [n, slot]
  /** Width, height and channels of each image; 0 channels if the slot is empty. */
  readonly shapes: Int32Array; // [n, 3]
}

/** The cached pixels of sample `index`. Do not write to them. */
export function get({ slot, pixels, shapes }: ImageCache, index: number): Image | undefined {
  const channels = Atomics.load(shapes, 3 * index + 2) as 0 | 1 | 3;
  if (channels === 0) return undefined;
  const [width, height] = [shapes[3 * index]!, shapes[3 * index + 1]!];
  const start = index * slot;
  return { width, height, channels, data: pixels.subarray(start, start + width * height * channels) };
}

/** Caches an image, if it fits in its slot. */
export function put({ slot, pixels, shapes }: ImageCache, index: number, image: Image): void {
  if (image.data.length > slot) return;
  pixels.set(image.data, index * slot);
  shapes[3 * index] = image.width;
  shapes[3 * index + 1] = image.height;
  Atomics.store(shapes, 3 * index + 2, image.channels); // last, because other threads may read the slot from now on
}

/** What a list of samples is recognized by: itself, since it does not change, or the paths of its files. */
type Identity = SampleList | readonly string[];

interface CachedList {
  readonly identity: Identity;
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
   * The cache for these images after these steps, the same one each time. If the steps determine the size of
   * the images, there is a cache only if all of them fit. Otherwise the slots divide half of the remaining memory evenly.
   * Slots that are too small for their images take no memory, because pages that are never written take none.
   *
   * @param shared whether other threads use it too.
   */
  of(identity: Identity, prefix: Transforms, shared: boolean): ImageCache | undefined {
    const key = JSON.stringify(prefix);
    const known = this.#lists.find((list) => list.prefix === key && areSame(list.identity, identity));
    if (known) return known.cache;
    const { channels, size } = sizeAfter(prefix);
    const { length } = identity;
    const slot = size === undefined ? Math.floor(this.#left / 2 / length) : channels * size * size;
    const bytes = slot * length;
    if (bytes === 0 || bytes > this.#left) return undefined;
    this.#left -= bytes;
    const Memory = shared ? SharedArrayBuffer : ArrayBuffer;
    const pixels = new Uint8Array(new Memory(bytes));
    const shapes = new Int32Array(new Memory(3 * length * Int32Array.BYTES_PER_ELEMENT));
    const cache = { slot, pixels, shapes };
    this.#lists.push({ identity, prefix: key, cache });
    return cache;
  }
}

function areSame(a: Identity, b: Identity): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((path, i) => path === b[i]);
}
