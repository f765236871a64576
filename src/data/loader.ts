/**
 * Samples to batches, in the background: worker threads decode the next few batches while the calling thread works on this
 * one. Each batch is cut into one job per worker, and the jobs of `prefetch` batches wait at the workers, so they stay
 * busy without a word from the calling thread.
 *
 * An epoch is the same to the bit whatever the number of workers, and an epoch that starts in its middle ends as the whole
 * one does: the order depends on (seed, epoch), and each image's randomness on (seed, epoch, its index).
 */
import { availableMemory } from '#platform/images';
import { UsageError } from '../errors.ts';
import { checkGiven, real, whole } from '../options.ts';
import { type Batch, type BatchArrays, type Corrupt, copyBatch, emptyBatch, type Member } from './batch.ts';
import { type ImageCache, ImageCaches } from './cache.ts';
import type { Sample } from './folder.ts';
import { type NamedImage, toJobImage } from './image-source.ts';
import type { Failure, JobImage } from './job.ts';
import { type ImageWorkers, WorkerPool } from './pool.ts';
import { permutation } from './random.ts';
import { outputDims, splitTransforms } from './transforms/plan.ts';
import type { Transforms } from './transforms/table.ts';

export type { Batch } from './batch.ts';

/** How a loader uses the machine; no image depends on it. */
export interface LoaderOptions {
  /** As for `WorkerPool`. */
  readonly workers?: number;
  /** Threads that are shared with others, and that `close` does not end, in place of `workers` of its own. */
  readonly pool?: WorkerPool;
  /** Batches that are prepared ahead; 3 by default. */
  readonly prefetch?: number;
  /**
   * MiB of memory for decoded images, which later epochs over the same files take instead of decoding them; 0 decodes
   * every image in every epoch. By default a quarter of the available memory, at most 1024; above 4095 is the same as
   * 4095. No result depends on it.
   */
  readonly cache?: number;
}

const loaderFields = {
  prefetch: whole({ from: 1, doc: 'batches prepared ahead' }),
  cache: real({ from: 0, doc: 'MiB of memory for decoded images' }),
};

const epochFields = {
  batchSize: whole({ from: 1, required: true, doc: 'images in a batch' }),
  seed: whole({ doc: 'decides order and augmentation' }),
  epoch: whole({ from: 0, doc: 'decides them too' }),
  startBatch: whole({ from: 0, doc: 'the batch to begin with' }),
};

/** Bytes in an array that every Node can make. */
const largestArray = 2 ** 32 - 1;

/** `LoaderOptions.cache` unless given. */
export const defaultCache = (): number => Math.min(1024, Math.floor(availableMemory() / 4 / 2 ** 20));

/** One pass over a list of samples. */
export interface EpochOptions {
  readonly samples: readonly (Sample | NamedImage)[];
  readonly transforms: Transforms;
  readonly batchSize: number;
  /** 0 by default, like `epoch`. */
  readonly seed?: number;
  readonly epoch?: number;
  /** The batch to begin with, to go on within an epoch; 0 by default. */
  readonly startBatch?: number;
  /** Whether the samples come in a random order; false by default. */
  readonly shuffle?: boolean;
  /** Whether to leave out a last batch that is not full; false by default. */
  readonly dropLast?: boolean;
  /**
   * What becomes of an image that cannot be read. `replace` puts the next readable one of its batch in its place, so
   * that training's batches stay full; `skip` leaves it out; `throw` ends the epoch with a FormatError. By default
   * `replace` with `dropLast` and `skip` without.
   */
  readonly corrupt?: Corrupt;
  /** Called for every image that cannot be read, once per epoch, in the order of the epoch. */
  readonly onCorrupt?: (name: string, message: string, index: number) => void;
}

/** The number of batches in an epoch. */
export const countBatches = (samples: number, batchSize: number, dropLast = false): number =>
  dropLast ? Math.floor(samples / batchSize) : Math.ceil(samples / batchSize);

/** Everything about an epoch that is settled before it starts. */
interface Plan extends Required<Omit<EpochOptions, 'shuffle' | 'dropLast' | 'transforms'>> {
  readonly prefix: Transforms;
  readonly rest: Transforms;
  readonly order: Uint32Array;
  readonly batches: number;
  readonly dims: Batch['dims'];
}

/** One place of the ring of prefetched batches. ONNX Runtime takes no shared memory, hence the copy out of it. */
interface PrefetchSlot {
  readonly memory: Float32Array; // [B, C, H, W]
  readonly failures: Promise<Failure[]>;
}

/**
 * Reads any number of epochs of any data sets; `close` ends its worker threads.
 *
 * @example
 * const loader = new Loader({ workers: 2 });
 * for await (const { images, labels } of loader.batches({ samples, transforms, batchSize: 64 })) step(images, labels);
 * await loader.close();
 */
export class Loader {
  readonly #pool: WorkerPool;
  readonly #ownsPool: boolean;
  readonly #prefetch: number;
  readonly #cache: number;
  #caches: ImageCaches;

  constructor(options: LoaderOptions = {}) {
    const { workers, pool, prefetch = 3, cache = defaultCache() } = options;
    checkGiven(loaderFields, options);
    this.#prefetch = prefetch;
    this.#cache = Math.min(largestArray, Math.floor(cache * 2 ** 20));
    this.#caches = new ImageCaches(this.#cache);
    this.#ownsPool = pool === undefined;
    const queue = 2 * prefetch; // for two epochs at once
    this.#pool = pool ?? new WorkerPool({ queue, ...(workers !== undefined && { workers }) });
  }

  /**
   * The batches of one epoch.
   *
   * @throws UsageError when an option cannot be used; while iterating, FormatError under `corrupt: 'throw'`, or when
   *   `replace` finds no image to put in.
   */
  batches(options: EpochOptions): AsyncGenerator<Batch, void, undefined> {
    return this.#run(plan(options));
  }

  /** Ends the worker threads and frees the images. An epoch that still runs fails; a later one starts new threads. */
  async close(): Promise<void> {
    this.#caches = new ImageCaches(this.#cache);
    if (this.#ownsPool) await this.#pool.close();
  }

  async *#run(plan: Plan): AsyncGenerator<Batch, void, undefined> {
    const workers = await this.#pool.start();
    const isShared = workers.threads > 0;
    const cache = this.#cacheFor(plan, isShared);
    const load = (number: number, memory: Float32Array): PrefetchSlot => {
      const failures = fillBatch(workers, plan, number, memory, cache);
      failures.catch(() => {}); // it is awaited below, unless the consumer leaves early
      return { memory, failures };
    };
    const bytes = plan.dims.reduce((product, dim) => product * dim, Float32Array.BYTES_PER_ELEMENT);
    const ring: PrefetchSlot[] = [];
    const ahead = Math.min(plan.startBatch + this.#prefetch, plan.batches);
    for (let number = plan.startBatch; number < ahead; number++) {
      ring.push(load(number, new Float32Array(isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes))));
    }
    const batch = emptyBatch(plan.dims);
    for (let number = plan.startBatch; number < plan.batches; number++) {
      const { memory, failures } = ring.shift()!;
      const count = takeBatch(plan, number, memory, await failures, batch);
      if (number + this.#prefetch < plan.batches) ring.push(load(number + this.#prefetch, memory));
      if (count > 0) yield { ...batch, number, count };
    }
  }

  /** Only files are kept: other samples are not known again in a later epoch. */
  #cacheFor({ samples, prefix }: Plan, isShared: boolean): ImageCache | undefined {
    if (this.#cache === 0) return undefined;
    const paths = samples.flatMap((sample) => ('path' in sample ? [sample.path] : []));
    return paths.length === samples.length ? this.#caches.of(paths, prefix, isShared) : undefined;
  }
}

function plan(options: EpochOptions): Plan {
  checkGiven(epochFields, options);
  const { samples, transforms, batchSize, seed = 0, epoch = 0, startBatch = 0 } = options;
  const { shuffle = false, dropLast = false } = options;
  const batches = countBatches(samples.length, batchSize, dropLast);
  if (batches === 0) {
    const have = `${samples.length} samples make no ${dropLast ? 'full ' : ''}batch of ${batchSize}`;
    throw new UsageError(`${have}; choose a smaller batchSize or add images.`);
  }
  if (startBatch > batches) {
    throw new UsageError(`startBatch is ${startBatch}, but an epoch has ${batches} batches.`);
  }
  const dims = [batchSize, ...outputDims(transforms)] as const;
  return {
    samples,
    ...splitTransforms(transforms),
    batchSize,
    seed,
    epoch,
    startBatch,
    batches,
    order: shuffle ? permutation(samples.length, seed, epoch) : Uint32Array.from(samples.keys()),
    dims,
    corrupt: options.corrupt ?? (dropLast ? 'replace' : 'skip'),
    onCorrupt: options.onCorrupt ?? (() => {}),
  };
}

/** The places of a batch's samples in their list; fewer than B only in the last batch. */
const indicesOf = ({ order, batchSize }: Plan, number: number): number[] =>
  Array.from(order.subarray(number * batchSize, (number + 1) * batchSize));

/**
 * Has a batch decoded into `memory`, in one job per worker. Failures are numbered within the batch. Jobs for files are
 * posted at once, before the caller goes on and is perhaps busy for long.
 */
async function fillBatch(
  workers: ImageWorkers,
  plan: Plan,
  number: number,
  memory: Float32Array,
  cache: ImageCache | undefined,
): Promise<Failure[]> {
  const { samples, prefix, rest, seed, epoch, batchSize } = plan;
  const length = memory.length / batchSize; // C · H · W
  const all = indicesOf(plan, number);
  const found = all.map((index) => toJobImage(samples[index]!));
  const images = found.every(isHere) ? found : await Promise.all(found);
  const share = Math.ceil(all.length / Math.max(1, workers.threads));
  const jobs: Promise<Failure[]>[] = [];
  for (let start = 0; start < all.length; start += share) {
    const indices = all.slice(start, start + share);
    const out = memory.subarray(start * length, (start + indices.length) * length);
    const job = { images: images.slice(start, start + share), indices, prefix, rest, cache, seed, epoch, out };
    const numbered = (failure: Failure) => ({ ...failure, position: failure.position + start });
    jobs.push(workers.run(job).then((failures) => failures.map(numbered)));
  }
  return (await Promise.all(jobs)).flat();
}

const isHere = (image: JobImage | Promise<JobImage>): image is JobImage => !(image instanceof Promise);

/** Reports a batch's failures and copies the rest to where the consumer reads it; returns the count. */
function takeBatch(
  plan: Plan,
  number: number,
  memory: Float32Array,
  failures: readonly Failure[],
  batch: BatchArrays,
): number {
  const members = indicesOf(plan, number).map((index): Member => {
    const sample = plan.samples[index]!;
    return { index, label: 'label' in sample ? sample.label : -1 };
  });
  for (const { position, message } of failures) {
    const { index } = members[position]!;
    const sample = plan.samples[index]!;
    plan.onCorrupt('path' in sample ? sample.path : sample.name, message, index);
  }
  return copyBatch(memory, members, failures, { corrupt: plan.corrupt, number }, batch);
}
