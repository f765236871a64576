/**
 * Worker threads that read images, which several loaders and classifiers can share. They start with the first job. An idle
 * pool does not keep the process alive.
 */
import { availableCores, startWorkers, type Workers } from '#platform/images';
import { checkOptions, hasAll, object } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { resolve, whole } from '../options.ts';
import { maxMegapixels, pixelBudget } from './budget.ts';
import { type Failure, type ImageJob, runJob, type ThreadResult } from './job.ts';
import { workers } from './workers.ts';

/** How many threads a pool has, and how much work waits at each. */
export interface WorkerPoolOptions {
  /**
   * Number of worker threads; 0 uses the calling thread, as browsers always do. Default: one per core, at most 8.
   * Decoding runs on libuv's threads, of which there are four. To decode on more cores, start Node with
   * UV_THREADPOOL_SIZE set to their number.
   */
  readonly workers?: number | undefined;
  /** Maximum number of jobs queued at each thread, so that it stays busy while the calling thread is. Default: 6. */
  readonly queue?: number;
  /**
   * Megapixels of the largest image to read, and of all images that are decoded at once. Decoding takes 5 to 20 bytes per
   * pixel. Default: 100.
   */
  readonly maxMegapixels?: number | undefined;
}

/** A pool, as an option. */
export const poolField = object('a WorkerPool', (value) => hasAll(value, 'start', 'close', 'isStarted'));

const fields = {
  workers: { ...workers, defaultOf: () => Math.min(8, availableCores()) },
  queue: whole({ from: 1, default: 6, doc: 'jobs queued at each thread' }),
  maxMegapixels,
};

/** The threads of a pool, which adds its budget to each job. */
export interface ImageWorkers extends Omit<Workers<ImageJob, Failure[]>, 'run'> {
  run(job: Omit<ImageJob, 'budget'>): Promise<Failure[]>;
}

/**
 * A pool of worker threads. They start with the first images to read, and `close` ends them.
 *
 * @example
 * const pool = new WorkerPool({ workers: 4 });
 * const loaders = [new Loader({ pool }), new Loader({ pool, cache: 0 })];
 * await pool.close();
 */
export class WorkerPool {
  readonly workers: number;
  readonly maxMegapixels: number;
  readonly #queue: number;
  #started: Promise<ImageWorkers> | undefined;

  constructor(options: WorkerPoolOptions = {}) {
    checkOptions(fields, options);
    const { workers, queue, maxMegapixels } = resolve(fields, options);
    this.workers = workers;
    this.maxMegapixels = maxMegapixels;
    this.#queue = queue;
  }

  get isStarted(): boolean {
    return this.#started !== undefined;
  }

  /**
   * Returns the threads, after starting them if necessary.
   *
   * @throws UsageError if the decoder is not installed.
   */
  start(): Promise<ImageWorkers> {
    this.#started ??= start(this.workers, this.#queue, this.maxMegapixels);
    return this.#started;
  }

  /** Ends the threads. Queued jobs and those of a running epoch fail; later epochs start new threads. */
  async close(): Promise<void> {
    const started = this.#started;
    this.#started = undefined;
    await (await started?.catch(() => undefined))?.close(); // `start` has already reported a failure
  }
}

async function start(threads: number, queue: number, maxMegapixels: number): Promise<ImageWorkers> {
  const options = { module: 'data/worker.js', name: 'run', threads, queue };
  const started = threads > 0 ? await startWorkers<ImageJob, ThreadResult>(options) : undefined;
  const run = started ? async (job: ImageJob) => failuresIn(await started.run(job)) : runJob;
  const workers = untilClosed({ threads: 0, close: async () => {}, ...started, run });
  const budget = pixelBudget(maxMegapixels, workers.threads > 0);
  return { ...workers, run: (job) => workers.run({ ...job, budget }) };
}

function failuresIn(result: ThreadResult): Failure[] {
  if ('refused' in result) throw new UsageError(result.refused);
  return result;
}

/** Workers that refuse jobs after `close`. Piscina would start threads for them that are never ended. */
function untilClosed({ threads, run, close }: Workers<ImageJob, Failure[]>): Workers<ImageJob, Failure[]> {
  let isClosed = false;
  const refuse = (cause?: unknown): never => {
    throw new UsageError(
      'The worker threads were closed while images were being read. Finish reading before closing.',
      {
        cause,
      },
    );
  };
  return {
    threads,
    run: async (job) => {
      if (isClosed) refuse();
      return run(job).catch((error: unknown) => (isClosed ? refuse(error) : Promise.reject(error)));
    },
    close: () => {
      isClosed = true;
      return close();
    },
  };
}
