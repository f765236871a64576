/**
 * Prepares images in the worker threads, only as many ahead of the network as it can use soon. The rest waits as encoded
 * files, which are smaller.
 */
import { BatchMemory } from '../data/batch-memory.ts';
import { Fetches } from '../data/fetch.ts';
import { type NamedImage, toJobImage } from '../data/image-source.ts';
import type { JobImage } from '../data/job.ts';
import type { WorkerPool } from '../data/pool.ts';
import { outputDims, splitTransforms } from '../data/transforms/plan.ts';
import type { Transforms } from '../data/transforms/table.ts';
import { FormatError } from '../errors.ts';
import { elements } from '../tensor.ts';

/** An image as the network reads it. */
export interface Prepared {
  readonly pixels: Float32Array; // [C, H, W]
  /** Gives the memory back when the pixels are copied. */
  release(): void;
}

export class Preparation {
  readonly #pool: WorkerPool;
  readonly #steps: ReturnType<typeof splitTransforms>;
  readonly #length: number;
  readonly #places: Places;
  readonly #memory: BatchMemory;
  readonly #fetches = new Fetches();

  /** @param ahead images that are prepared, or being prepared, at a time. */
  constructor(pool: WorkerPool, transforms: Transforms, ahead: number) {
    this.#pool = pool;
    this.#steps = splitTransforms(transforms);
    this.#length = elements(outputDims(transforms));
    this.#places = new Places(ahead);
    this.#memory = new BatchMemory(ahead);
  }

  /**
   * Reads an image when its turn comes.
   *
   * @throws FormatError if it cannot be read; the signal's reason if it aborts first.
   */
  async prepare(image: NamedImage, signal?: AbortSignal): Promise<Prepared> {
    await this.#places.take(signal);
    try {
      const workers = await this.#pool.start();
      const out = this.#memory.take(this.#length, workers.threads > 0);
      try {
        const source = ownBytes(await toJobImage(image, this.#fetches));
        const [failure] = await workers.run({ ...jobOf(source), ...this.#steps, out });
        if (failure) throw new FormatError(failure.message);
        signal?.throwIfAborted();
        return { pixels: out, release: once(() => this.#release(out)) };
      } catch (error) {
        this.#memory.give(out);
        throw error;
      }
    } catch (error) {
      this.#places.give();
      throw error;
    }
  }

  /** Ends fetches of images. */
  close(): void {
    this.#fetches.end();
  }

  #release(memory: Float32Array): void {
    this.#memory.give(memory);
    this.#places.give();
  }
}

/** A job of one image without randomness. */
const jobOf = (image: JobImage) => ({
  images: [image],
  indices: [0],
  repetitions: [0],
  cache: undefined,
  seed: 0,
  epoch: 0,
});

/** Bytes that are part of a larger array, such as the body of a request, would be posted to a thread with all of it. */
function ownBytes(image: JobImage): JobImage {
  if (!('bytes' in image) || image.bytes.byteLength === image.bytes.buffer.byteLength) return image;
  return { ...image, bytes: Uint8Array.from(image.bytes) };
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}

/** A number of places, taken in the order of those who ask. */
class Places {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  async take(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(enter);
        reject(signal?.reason);
      };
      const enter = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      signal?.addEventListener('abort', leave);
      this.#waiting.add(enter);
    });
  }

  give(): void {
    const [next] = this.#waiting;
    if (!next) this.#free += 1;
    else {
      this.#waiting.delete(next);
      next();
    }
  }
}
