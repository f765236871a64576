/**
 * Samples to batches, in the background: worker threads decode the next few batches while the calling thread
 * trains on this one. Each batch is cut into one chunk per worker, and the chunks of
 * `prefetch` batches wait at the workers, so they stay busy without a word from the calling thread.
 *
 * An epoch is the same to the bit whatever the number of workers, and an epoch that starts in its middle ends as the whole one does: the order
 * depends on (seed, epoch), and each image's randomness on (seed, epoch, its index).
 */

import { availableParallelism } from 'node:os';
import { FormatError, UsageError } from '../errors.ts';
import { type ImageCache, ImageCaches } from './cache.ts';
import { type Chunk, type Failure, fillChunk } from './chunk.ts';
import type { Sample } from './folder.ts';
import { permutation } from './random.ts';
import { loadSharp } from './sharp.ts';
import { outputDims, splitTransforms } from './transforms/plan.ts';
import type { Transforms } from './transforms/table.ts';

export interface LoaderOptions {
  /**
   * Worker threads; 0 works in the calling thread. By default one per core, at most 8. Decoding itself is done by libuv,
   * which has four threads: where more cores shall decode, start Node with UV_THREADPOOL_SIZE set to their number.
   */
  readonly workers?: number;
  /** Batches that are prepared ahead; 3 by default. */
  readonly prefetch?: number;
  /**
   * MiB of memory for decoded images, which later epochs over the same samples take instead of their files; 0 reads
   * every image anew. By default a quarter of what is available, at most 1024; above 4095 is the same as 4095. No
   * result depends on it.
   */
  readonly cache?: number;
}

/** Bytes in an array that every Node can make. */
const largestArray = 2 ** 32 - 1;

/** What `LoaderOptions.cache` is unless given. */
export const defaultCache = (): number => Math.min(1024, Math.floor(process.availableMemory() / 4 / 2 ** 20));

export interface EpochOptions {
  readonly samples: readonly Sample[];
  readonly transforms: Transforms;
  readonly batchSize: number;
  /** 0 by default, like `epoch`. */
  readonly seed?: number;
  readonly epoch?: number;
  /** The batch to begin with, for going on within an epoch; 0 by default. */
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
  readonly corrupt?: 'replace' | 'skip' | 'throw';
  /** Told of every image that cannot be read, once per epoch, in the order of the epoch. */
  readonly onCorrupt?: (path: string, message: string) => void;
}

/**
 * The first `count` of the B places are images; the rest, which only an incomplete batch has, are images of zeros with
 * label and index -1. The arrays are overwritten when the next batch is taken.
 */
export interface Batch {
  /** Its place in the epoch, from 0. */
  readonly number: number;
  readonly count: number;
  readonly dims: readonly [number, number, number, number]; // [B, C, H, W]
  readonly images: Float32Array; // [B, C, H, W]
  readonly labels: Int32Array; // [B]
  /** Places in `samples`. */
  readonly indices: Int32Array; // [B]
}

/** How many batches an epoch has. */
export const countBatches = (samples: number, batchSize: number, dropLast = false): number =>
  dropLast ? Math.floor(samples / batchSize) : Math.ceil(samples / batchSize);

/** Everything about an epoch that is settled before it starts. */
interface Plan extends Required<Omit<EpochOptions, 'onCorrupt' | 'shuffle' | 'dropLast' | 'transforms'>> {
  readonly prefix: Transforms;
  readonly rest: Transforms;
  readonly order: Uint32Array;
  readonly batches: number;
  readonly dims: readonly [number, number, number, number];
  readonly onCorrupt: (path: string, message: string) => void;
}

/** One place of the ring of prefetched batches. ONNX Runtime takes no shared memory, hence the copy out of it. */
interface Slot {
  readonly shared: Float32Array; // [B, C, H, W]
  readonly failures: Promise<Failure[]>;
}

/** Does chunks of work, in threads or here. */
interface Crew {
  fill(chunk: Chunk): Promise<Failure[]>;
  close(): Promise<void>;
}

/**
 * Owns the worker threads, for as many epochs of as many data sets as wanted; `close` ends them.
 *
 * @example
 * const loader = new Loader({ workers: 2 });
 * for await (const { images, labels } of loader.batches({ samples, transforms, batchSize: 64 })) step(images, labels);
 * await loader.close();
 */
export class Loader {
  readonly #workers: number;
  readonly #prefetch: number;
  readonly #cache: number;
  #crew: Promise<Crew> | undefined;
  #caches: ImageCaches;

  constructor(options: LoaderOptions = {}) {
    const { workers = Math.min(8, availableParallelism()), prefetch = 3, cache = defaultCache() } = options;
    this.#workers = integer('workers', workers, 0);
    this.#prefetch = integer('prefetch', prefetch, 1);
    if (!(cache >= 0)) throw new UsageError(`cache is ${cache}, but expected a number of MiB from 0.`);
    this.#cache = Math.min(largestArray, Math.floor(cache * 2 ** 20));
    this.#caches = new ImageCaches(this.#cache);
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
    const crew = this.#crew;
    this.#crew = undefined;
    this.#caches = new ImageCaches(this.#cache);
    await (await crew?.catch(() => undefined))?.close(); // a crew that could not be hired has been reported
  }

  async *#run(plan: Plan): AsyncGenerator<Batch, void, undefined> {
    this.#crew ??= hire(this.#workers, this.#prefetch);
    const crew = await this.#crew;
    const cache = this.#caches.of(plan.samples, plan.prefix);
    const load = (number: number, shared: Float32Array): Slot => {
      const failures = fillBatch(crew, Math.max(1, this.#workers), plan, number, shared, cache);
      failures.catch(() => {}); // it is awaited below, unless the consumer leaves early
      return { shared, failures };
    };
    const places = plan.dims.reduce((product, dim) => product * dim);
    const ring: Slot[] = [];
    const ahead = Math.min(plan.startBatch + this.#prefetch, plan.batches);
    for (let number = plan.startBatch; number < ahead; number++) {
      ring.push(load(number, new Float32Array(new SharedArrayBuffer(places * Float32Array.BYTES_PER_ELEMENT))));
    }
    const batch = emptyBatch(plan.dims);
    for (let number = plan.startBatch; number < plan.batches; number++) {
      const { shared, failures } = ring.shift()!;
      const count = takeOver(plan, number, shared, await failures, batch);
      if (number + this.#prefetch < plan.batches) ring.push(load(number + this.#prefetch, shared));
      if (count > 0) yield { ...batch, number, count };
    }
  }
}

/** Starts the threads, or none. Sharp comes first: its absence is told here, and it must be loaded before threads are. */
async function hire(workers: number, prefetch: number): Promise<Crew> {
  await loadSharp();
  if (workers === 0) return { fill: fillChunk, close: async () => {} };
  const { Piscina } = await import('piscina');
  const pool = new Piscina<Chunk, Failure[]>({
    filename: new URL('./worker.js', import.meta.url).href,
    name: 'fill',
    minThreads: workers,
    maxThreads: workers,
    concurrentTasksPerWorker: 2 * prefetch, // tasks wait at the threads and not here, for two epochs at once
  });
  return { fill: (chunk) => pool.run(chunk), close: () => pool.destroy() };
}

function plan(options: EpochOptions): Plan {
  const { samples, transforms, seed = 0, epoch = 0, startBatch = 0, shuffle = false, dropLast = false } = options;
  const batchSize = integer('batchSize', options.batchSize, 1);
  const batches = countBatches(samples.length, batchSize, dropLast);
  if (batches === 0) {
    const have = `${samples.length} samples make no ${dropLast ? 'full ' : ''}batch of ${batchSize}`;
    throw new UsageError(`${have}; choose a smaller batchSize or add images.`);
  }
  if (integer('startBatch', startBatch, 0) > batches) {
    throw new UsageError(`startBatch is ${startBatch}, but an epoch has ${batches} batches.`);
  }
  return {
    samples,
    ...splitTransforms(transforms),
    batchSize,
    seed: integer('seed', seed, Number.MIN_SAFE_INTEGER),
    epoch: integer('epoch', epoch, 0),
    startBatch,
    batches,
    order: shuffle ? permutation(samples.length, seed, epoch) : Uint32Array.from(samples.keys()),
    dims: [batchSize, ...outputDims(transforms)],
    corrupt: options.corrupt ?? (dropLast ? 'replace' : 'skip'),
    onCorrupt: options.onCorrupt ?? (() => {}),
  };
}

function integer(option: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  const from = least > Number.MIN_SAFE_INTEGER ? ` from ${least}` : '';
  throw new UsageError(`${option} is ${value}, but expected an integer${from}.`);
}

const emptyBatch = (dims: Plan['dims']): Omit<Batch, 'number' | 'count'> => ({
  dims,
  images: new Float32Array(dims.reduce((product, dim) => product * dim)),
  labels: new Int32Array(dims[0]),
  indices: new Int32Array(dims[0]),
});

/** The samples of a batch; fewer than B only in the last. */
const members = ({ order, batchSize }: Plan, number: number): Uint32Array =>
  order.subarray(number * batchSize, (number + 1) * batchSize);

/** Has a batch decoded into `shared`, in as many chunks as there are workers. Failures are numbered within the batch. */
async function fillBatch(
  crew: Crew,
  workers: number,
  plan: Plan,
  number: number,
  shared: Float32Array,
  cache: ImageCache | undefined,
): Promise<Failure[]> {
  const { samples, prefix, rest, seed, epoch, batchSize } = plan;
  const length = shared.length / batchSize; // C · H · W
  const all = Array.from(members(plan, number));
  const share = Math.ceil(all.length / workers);
  const chunks: Promise<Failure[]>[] = [];
  for (let start = 0; start < all.length; start += share) {
    const indices = all.slice(start, start + share);
    const images = shared.subarray(start * length, (start + indices.length) * length);
    const paths = indices.map((index) => samples[index]!.path);
    const done = crew.fill({ paths, indices, prefix, rest, cache, seed, epoch, images });
    chunks.push(done.then((failures) => failures.map((f) => ({ ...f, position: f.position + start }))));
  }
  return (await Promise.all(chunks)).flat();
}

/** Copies a decoded batch to where the consumer reads it, with what is to become of its failures; returns the count. */
function takeOver(
  plan: Plan,
  number: number,
  shared: Float32Array,
  failures: readonly Failure[],
  batch: Omit<Batch, 'number' | 'count'>,
): number {
  const all = members(plan, number);
  for (const { position, message } of failures) plan.onCorrupt(plan.samples[all[position]!]!.path, message);
  const sources = sourcesOf(all.length, failures, plan.corrupt, number);
  const count = sources.length;
  const length = shared.length / plan.batchSize; // C · H · W
  if (failures.length === 0) batch.images.set(shared.subarray(0, count * length));
  for (const [place, source] of sources.entries()) {
    if (failures.length > 0) batch.images.set(shared.subarray(source * length, (source + 1) * length), place * length);
    batch.indices[place] = all[source]!;
    batch.labels[place] = plan.samples[all[source]!]!.label;
  }
  batch.images.fill(0, count * length);
  batch.indices.fill(-1, count);
  batch.labels.fill(-1, count);
  return count;
}

/** For each place of the batch, the position of the image that goes there. */
function sourcesOf(count: number, failures: readonly Failure[], corrupt: Plan['corrupt'], number: number): number[] {
  const positions = Array.from({ length: count }, (_, position) => position);
  const [first] = failures;
  if (!first) return positions;
  if (corrupt === 'throw') throw new FormatError(first.message);
  const failed = new Set(failures.map((failure) => failure.position));
  const readable = positions.filter((position) => !failed.has(position));
  if (corrupt === 'skip') return readable;
  if (readable.length === 0) {
    throw new FormatError(`None of the ${count} images of batch ${number} can be read. The first: ${first.message}`);
  }
  return positions.map((position) => readable.find((other) => other >= position) ?? readable[0]!);
}
