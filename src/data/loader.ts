/**
 * Loads samples in batches, in the background: worker threads decode the next few batches while the calling thread works
 * on the current one. Each batch is split into one job per worker, and the jobs of `prefetch` batches are queued at the
 * workers, so they stay busy while the calling thread is.
 *
 * An epoch is bit-identical with any number of workers, and so is the rest of an epoch that is resumed in the middle: the
 * order depends on (seed, epoch), and the randomness of each image on (seed, epoch, index) and how often it came before.
 */
import { availableMemory } from '#platform/images';
import { callback, checkList, checkOptions, type FieldsOf, object } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { flag, oneOf, real, whole } from '../options.ts';
import {
  type Batch,
  type BatchArrays,
  type Corrupt,
  copyBatch,
  corruptChoices,
  emptyBatch,
  type Member,
} from './batch.ts';
import { BatchMemory } from './batch-memory.ts';
import { maxMegapixels } from './budget.ts';
import { type ImageCache, ImageCaches } from './cache.ts';
import { Fetches } from './fetch.ts';
import { type NamedImage, sampleKind, toJobImage } from './image-source.ts';
import type { Failure, JobImage } from './job.ts';
import { orderOf, repetitionsOf } from './order.ts';
import { type ImageWorkers, poolField, WorkerPool } from './pool.ts';
import { isSampleList, type LabeledImage, nameOf, type SampleList } from './samples.ts';
import { outputDims, splitTransforms } from './transforms/plan.ts';
import type { Transforms } from './transforms/table.ts';
import { workers } from './workers.ts';

export type { Batch } from './batch.ts';

/** How a loader uses the machine. The images do not depend on it. */
export interface LoaderOptions {
  /** As for `WorkerPool`. */
  readonly workers?: number | undefined;
  /** As for `WorkerPool`. */
  readonly maxMegapixels?: number | undefined;
  /** A pool to share with others instead of one of its own. `close` does not end it. */
  readonly pool?: WorkerPool;
  /** Number of batches to prepare ahead. Default: 3. */
  readonly prefetch?: number;
  /**
   * MiB of memory for decoded images, which later epochs over the same files reuse; with 0, every epoch decodes every
   * image. Default: a quarter of the available memory, at most 1024. More than 4095 has no further effect. Results do not
   * depend on it.
   */
  readonly cache?: number;
}

const loaderFields: FieldsOf<LoaderOptions> = {
  workers,
  pool: poolField,
  maxMegapixels,
  prefetch: whole({ from: 1, doc: 'batches prepared ahead' }),
  cache: real({ from: 0, doc: 'MiB of memory for decoded images' }),
};

/** The largest array in bytes that every version of Node supports. */
const largestArray = 2 ** 32 - 1;

/** Default of `LoaderOptions.cache`. */
export const defaultCache = (): number => Math.min(1024, Math.floor(availableMemory() / 4 / 2 ** 20));

/** One pass over a list of samples. */
export interface EpochOptions {
  readonly samples: SampleList | readonly (LabeledImage | NamedImage)[];
  readonly transforms: Transforms;
  readonly batchSize: number;
  /** Seed of the order and of random transforms. Default: 0. */
  readonly seed?: number;
  /** Number of the epoch, which also determines them. Default: 0. */
  readonly epoch?: number;
  /** First batch, to continue within an epoch. Default: 0. */
  readonly startBatch?: number;
  /** Whether to shuffle the samples. Default: false. */
  readonly shuffle?: boolean;
  /**
   * Whether to draw samples with replacement such that all classes are as frequent, as many as there are. All samples need
   * labels. Default: false.
   */
  readonly balanced?: boolean;
  /**
   * How many times in a row each sample comes, augmented differently each time. The epoch still has as many samples in all,
   * so it has fewer different ones. Default: 1.
   */
  readonly repeats?: number;
  /** Whether to skip the last batch if it is not full. Default: false. */
  readonly dropLast?: boolean;
  /**
   * How to treat an image that cannot be read. `replace` uses the next readable image of the batch instead, so that the
   * batches of training stay full; `skip` leaves the image out; `throw` ends the epoch with a FormatError. Default:
   * `replace` with `dropLast`, otherwise `skip`.
   */
  readonly corrupt?: Corrupt;
  /** Called for each image that cannot be read, once per epoch, in the order of the epoch. */
  readonly onCorrupt?: (name: string, message: string, index: number) => void;
}

const epochFields: FieldsOf<EpochOptions> = {
  samples: object('a list of samples', (value) => Array.isArray(value) || isSampleList(value), { required: true }),
  transforms: object('an array of transforms', Array.isArray, { required: true }),
  batchSize: whole({ from: 1, required: true, doc: 'images in a batch' }),
  seed: whole({ doc: 'seed of order and augmentation' }),
  epoch: whole({ from: 0, doc: 'number of the epoch' }),
  startBatch: whole({ from: 0, doc: 'first batch' }),
  shuffle: flag({ doc: 'shuffle the samples' }),
  balanced: flag({ doc: 'draw samples of all classes as often' }),
  repeats: whole({ from: 1, doc: 'times in a row that each sample comes' }),
  dropLast: flag({ doc: 'skip the last batch if it is not full' }),
  corrupt: oneOf(corruptChoices, { doc: 'how to treat an image that cannot be read' }),
  onCorrupt: callback('called for each image that cannot be read'),
};

/** The number of batches in an epoch. */
export const countBatches = (samples: number, batchSize: number, dropLast = false): number =>
  dropLast ? Math.floor(samples / batchSize) : Math.ceil(samples / batchSize);

/** The parameters of an epoch, determined before it starts. */
interface Plan extends Required<Omit<EpochOptions, 'shuffle' | 'balanced' | 'repeats' | 'dropLast' | 'transforms'>> {
  readonly prefix: Transforms;
  readonly rest: Transforms;
  readonly order: Uint32Array;
  readonly repetitions: Uint32Array;
  readonly batches: number;
  readonly dims: Batch['dims'];
}

/** A prefetched batch. Its memory is shared, which ONNX Runtime does not accept, so the consumer gets a copy. */
interface PrefetchSlot {
  readonly memory: Float32Array; // [B, C, H, W]
  readonly failures: Promise<Failure[]>;
}

/**
 * Reads any number of epochs of any datasets. `close` ends its worker threads.
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
  readonly #memory: BatchMemory;
  #caches: ImageCaches;

  constructor(options: LoaderOptions = {}) {
    checkOptions(loaderFields, options);
    const { workers, maxMegapixels, pool, prefetch = 3, cache = defaultCache() } = options;
    this.#prefetch = prefetch;
    this.#cache = Math.min(largestArray, Math.floor(cache * 2 ** 20));
    this.#caches = new ImageCaches(this.#cache);
    this.#ownsPool = pool === undefined;
    const queue = 2 * prefetch; // for two epochs at once
    this.#memory = new BatchMemory(queue);
    this.#pool = pool ?? new WorkerPool({ queue, workers, maxMegapixels });
  }

  /**
   * Loads the batches of one epoch.
   *
   * @throws UsageError for an invalid option; while iterating, FormatError with `corrupt: 'throw'`, or if `replace` finds
   *   no readable image in a batch.
   */
  batches(options: EpochOptions): AsyncGenerator<Batch, void, undefined> {
    return this.#run(plan(options));
  }

  /** Ends the worker threads and frees cached images. A running epoch fails; a later one starts new threads. */
  async close(): Promise<void> {
    this.#caches = new ImageCaches(this.#cache);
    this.#memory.clear();
    if (this.#ownsPool) await this.#pool.close();
  }

  async *#run(plan: Plan): AsyncGenerator<Batch, void, undefined> {
    const workers = await this.#pool.start();
    const isShared = workers.threads > 0;
    const cache = this.#cacheFor(plan, isShared);
    const fetches = new Fetches();
    const load = (number: number, memory: Float32Array): PrefetchSlot => {
      const failures = fillBatch({ workers, fetches }, plan, number, memory, cache);
      failures.catch(() => {}); // awaited below, unless the consumer stops early
      return { memory, failures };
    };
    const length = plan.dims.reduce((product, dim) => product * dim);
    const ring: PrefetchSlot[] = [];
    const ahead = Math.min(plan.startBatch + this.#prefetch, plan.batches);
    for (let number = plan.startBatch; number < ahead; number++) {
      ring.push(load(number, this.#memory.take(length, isShared)));
    }
    const batch = emptyBatch(plan.dims);
    try {
      for (let number = plan.startBatch; number < plan.batches; number++) {
        const { memory, failures } = ring.shift()!;
        const count = takeBatch(plan, number, memory, await failures, batch);
        if (number + this.#prefetch < plan.batches) ring.push(load(number + this.#prefetch, memory));
        else this.#memory.give(memory);
        if (count > 0) yield { ...batch, number, count };
      }
    } finally {
      fetches.end(); // of batches that will not be used
      for (const { memory, failures } of ring) {
        failures.then(
          () => this.#memory.give(memory),
          () => {}, // jobs may still write to it
        );
      }
    }
  }

  /** Of an array, only files are cached: other samples cannot be recognized in a later epoch. */
  #cacheFor({ samples, prefix }: Plan, isShared: boolean): ImageCache | undefined {
    if (this.#cache === 0) return undefined;
    if (isSampleList(samples)) return this.#caches.of(samples, prefix, isShared);
    const paths = samples.flatMap((sample) => ('path' in sample && !('start' in sample) ? [sample.path] : []));
    return paths.length === samples.length ? this.#caches.of(paths, prefix, isShared) : undefined;
  }
}

function plan(options: EpochOptions): Plan {
  checkOptions(epochFields, options);
  if (!isSampleList(options.samples)) checkList('samples', options.samples, sampleKind);
  const { samples, transforms, batchSize, seed = 0, epoch = 0, startBatch = 0 } = options;
  const { shuffle = false, balanced = false, repeats = 1, dropLast = false } = options;
  const batches = countBatches(samples.length, batchSize, dropLast);
  if (batches === 0) {
    const got =
      samples.length === 0
        ? 'There are no samples'
        : `batchSize is ${batchSize}, but there are ${samples.length} samples`;
    throw new UsageError(`${got}. Add images${samples.length === 0 ? '' : ' or choose a smaller batchSize'}.`);
  }
  if (startBatch > batches) {
    throw new UsageError(`startBatch is ${startBatch}, but an epoch has ${batches} batches.`);
  }
  const dims = [batchSize, ...outputDims(transforms)] as const;
  const order = orderOf(samples.length, (index) => labelAt(samples, index), {
    seed,
    epoch,
    shuffle,
    balanced,
    repeats,
  });
  return {
    samples,
    ...splitTransforms(transforms),
    batchSize,
    seed,
    epoch,
    startBatch,
    batches,
    order,
    repetitions: repetitionsOf(order),
    dims,
    corrupt: options.corrupt ?? (dropLast ? 'replace' : 'skip'),
    onCorrupt: options.onCorrupt ?? (() => {}),
  };
}

/** The class of a sample; -1 for one without a label. */
function labelAt(samples: EpochOptions['samples'], index: number): number {
  if (isSampleList(samples)) return samples.label(index);
  const sample = samples[index]!;
  return 'label' in sample ? sample.label : -1;
}

/** The indices of a batch's samples; fewer than B only in the last batch. */
const indicesOf = ({ order, batchSize }: Plan, number: number): number[] =>
  Array.from(order.subarray(number * batchSize, (number + 1) * batchSize));

/** What gets the images of an epoch. */
interface Readers {
  readonly workers: ImageWorkers;
  readonly fetches: Fetches;
}

/**
 * Starts decoding a batch into `memory`, with one job per worker. Failures have positions within the batch. Jobs for files
 * are posted synchronously, because the caller may be busy for long afterwards.
 */
async function fillBatch(
  { workers, fetches }: Readers,
  plan: Plan,
  number: number,
  memory: Float32Array,
  cache: ImageCache | undefined,
): Promise<Failure[]> {
  const { samples, repetitions, prefix, rest, seed, epoch, batchSize } = plan;
  const length = memory.length / batchSize; // C · H · W
  const all = indicesOf(plan, number);
  const found = all.map((index) => toJobImage(samples.at(index)!, fetches));
  const images = found.every(isHere) ? found : await Promise.all(found);
  const share = Math.ceil(all.length / Math.max(1, workers.threads));
  const jobs: Promise<Failure[]>[] = [];
  for (let start = 0; start < all.length; start += share) {
    const indices = all.slice(start, start + share);
    const first = number * batchSize + start;
    const own = {
      images: images.slice(start, start + share),
      indices,
      repetitions: [...repetitions.subarray(first, first + indices.length)],
    };
    const outs = indices.map((_, n) => memory.subarray((start + n) * length, (start + n + 1) * length));
    const job = { ...own, prefix, rest, cache, seed, epoch, outs };
    const numbered = (failure: Failure) => ({ ...failure, position: failure.position + start });
    jobs.push(workers.run(job).then((failures) => failures.map(numbered)));
  }
  return (await Promise.all(jobs)).flat();
}

const isHere = (image: JobImage | Promise<JobImage>): image is JobImage => !(image instanceof Promise);

/** Reports a batch's failures and copies its images to the consumer's arrays. Returns the count. */
function takeBatch(
  plan: Plan,
  number: number,
  memory: Float32Array,
  failures: readonly Failure[],
  batch: BatchArrays,
): number {
  const members = indicesOf(plan, number).map((index): Member => ({ index, label: labelAt(plan.samples, index) }));
  for (const { position, message } of failures) {
    const { index } = members[position]!;
    plan.onCorrupt(nameOf(plan.samples.at(index)!), message, index);
  }
  return copyBatch(memory, members, failures, { corrupt: plan.corrupt, number }, batch);
}
