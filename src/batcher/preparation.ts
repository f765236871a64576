/**
 * Prepares images in the worker threads, only as many ahead of the network as it can use soon. The rest waits as encoded
 * files, which are smaller.
 */
import { Fetches } from '../data/fetch.ts';
import { type NamedImage, toJobImage } from '../data/image-source.ts';
import type { JobImage } from '../data/job.ts';
import type { WorkerPool } from '../data/pool.ts';
import type { Transforms } from '../data/transforms/table.ts';
import { ImageJobs } from './image-jobs.ts';

/** An image as the network reads it. */
export interface Prepared {
  readonly pixels: Float32Array; // [C, H, W]
  /** Gives the memory back when the pixels are copied. */
  release(): void;
}

export class Preparation {
  readonly #places: Places;
  readonly #jobs: ImageJobs;
  readonly #fetches = new Fetches();

  /** @param ahead images that are prepared, or being prepared, at a time. */
  constructor(pool: WorkerPool, transforms: Transforms, ahead: number) {
    this.#places = new Places(ahead);
    this.#jobs = new ImageJobs(pool, transforms, ahead);
  }

  /**
   * Reads an image when its turn comes.
   *
   * @throws FormatError if it cannot be read; the signal's reason if it aborts first.
   */
  async prepare(image: NamedImage, signal?: AbortSignal): Promise<Prepared> {
    const place = await this.#places.take(signal);
    try {
      const source = ownBytes(await toJobImage(image, this.#fetches));
      const pixels = await this.#jobs.run(source, place);
      signal?.throwIfAborted();
      return { pixels, release: once(() => this.#places.give(place)) };
    } catch (error) {
      this.#places.give(place);
      throw error;
    }
  }

  /** Ends fetches of images. */
  close(): void {
    this.#fetches.end();
  }
}

/** Bytes that are part of a larger array, such as the body of a request, would be posted to a thread with all of it. */
function ownBytes(image: JobImage): JobImage {
  if (!('bytes' in image) || image.bytes.byteLength === image.bytes.buffer.byteLength) return image;
  return { ...image, bytes: new Uint8Array(image.bytes) };
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}

/** A number of places, counted from 0, which are taken in the order of those who ask. */
class Places {
  readonly #waiting = new Set<(place: number) => void>();
  readonly #free: number[];

  constructor(count: number) {
    this.#free = Array.from({ length: count }, (_, place) => place);
  }

  async take(signal: AbortSignal | undefined): Promise<number> {
    signal?.throwIfAborted();
    const free = this.#free.pop();
    if (free !== undefined) return free;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(enter);
        reject(signal?.reason);
      };
      const enter = (place: number) => {
        signal?.removeEventListener('abort', leave);
        resolve(place);
      };
      signal?.addEventListener('abort', leave);
      this.#waiting.add(enter);
    });
  }

  give(place: number): void {
    const [next] = this.#waiting;
    if (!next) this.#free.push(place);
    else {
      this.#waiting.delete(next);
      next(place);
    }
  }
}
