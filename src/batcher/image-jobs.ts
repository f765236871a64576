/**
 * Jobs for the worker threads. Each thread has one at a time, and images that wait for a thread are posted together, since a
 * message takes about as long as a small image.
 */
import type { JobImage } from '../data/job.ts';
import type { WorkerPool } from '../data/pool.ts';
import { outputDims, splitTransforms } from '../data/transforms/plan.ts';
import type { Transforms } from '../data/transforms/table.ts';
import { FormatError } from '../errors.ts';
import { elements } from '../tensor.ts';

/** Maximum number of images in a job. All of them wait for the slowest. */
const maxImages = 4;

interface Waiting {
  readonly image: JobImage;
  readonly place: number;
  readonly resolve: (pixels: Float32Array) => void;
  readonly reject: (reason: unknown) => void;
}

export class ImageJobs {
  readonly #pool: WorkerPool;
  readonly #steps: ReturnType<typeof splitTransforms>;
  readonly #length: number; // C · H · W
  readonly #memory: Float32Array; // [places, C, H, W]
  readonly #waiting: Waiting[] = [];
  #running = 0;
  #immediate: ReturnType<typeof setImmediate> | undefined;

  /** @param places the number of images for which there is memory. */
  constructor(pool: WorkerPool, transforms: Transforms, places: number) {
    this.#pool = pool;
    this.#steps = splitTransforms(transforms);
    this.#length = elements(outputDims(transforms));
    const bytes = places * this.#length * Float32Array.BYTES_PER_ELEMENT;
    this.#memory = new Float32Array(pool.workers > 0 ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  }

  /**
   * Reads an image, and writes it to a place in the memory, which nobody else may use until then. Images of the same turn of
   * the event loop share jobs.
   *
   * @returns its pixels [C, H, W] there.
   * @throws FormatError if it cannot be read.
   */
  run(image: JobImage, place: number): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ image, place, resolve, reject });
      this.#immediate ??= setImmediate(() => {
        this.#immediate = undefined;
        this.#start();
      });
    });
  }

  #start(): void {
    for (let idle = Math.max(1, this.#pool.workers) - this.#running; idle > 0; idle--) {
      const share = Math.min(maxImages, Math.ceil(this.#waiting.length / idle));
      if (share > 0) void this.#post(this.#waiting.splice(0, share));
    }
  }

  async #post(job: readonly Waiting[]): Promise<void> {
    this.#running += 1;
    const outs = job.map(({ place }) => this.#memory.subarray(place * this.#length, (place + 1) * this.#length));
    try {
      const workers = await this.#pool.start();
      const images = job.map(({ image }) => image);
      const failures = await workers.run({ ...withoutRandomness(images), ...this.#steps, outs });
      for (const { position, message } of failures) job[position]!.reject(new FormatError(message));
      for (const [n, { resolve }] of job.entries()) resolve(outs[n]!); // which does nothing after a failure
    } catch (error) {
      for (const { reject } of job) reject(error);
    }
    this.#running -= 1;
    this.#start();
  }
}

const withoutRandomness = (images: readonly JobImage[]) => ({
  images,
  indices: images.map(() => 0),
  repetitions: images.map(() => 0),
  cache: undefined,
  seed: 0,
  epoch: 0,
});
