/**
 * Worker threads that read images for whoever asks: loaders, classifiers, several of each. They start with the first job,
 * and an idle pool does not keep the process alive.
 */
import { availableCores, openDecoder, startWorkers, type Workers } from '#platform/images';
import { UsageError } from '../errors.ts';
import { checkGiven, whole } from '../options.ts';
import { type Failure, type ImageJob, runJob } from './job.ts';

export interface WorkerPoolOptions {
  /**
   * Worker threads; 0 works in the calling thread, as a browser does in any case. By default one per core, at most 8.
   * Decoding itself is done by libuv, which has four threads: to decode on more cores, start Node with
   * UV_THREADPOOL_SIZE set to their number.
   */
  readonly workers?: number;
  /** Jobs that wait at each thread, rather than here, while the calling thread is busy; 6 by default. */
  readonly queue?: number;
}

const fields = {
  workers: whole({ from: 0, doc: 'threads that read images' }),
  queue: whole({ from: 1, doc: 'jobs that wait at each thread' }),
};

export type ImageWorkers = Workers<ImageJob, Failure[]>;

const defaultWorkers = (): number => Math.min(8, availableCores());

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
  readonly #queue: number;
  #started: Promise<ImageWorkers> | undefined;

  constructor(options: WorkerPoolOptions = {}) {
    checkGiven(fields, options);
    this.workers = options.workers ?? defaultWorkers();
    this.#queue = options.queue ?? 6;
  }

  get isStarted(): boolean {
    return this.#started !== undefined;
  }

  /**
   * The threads, started unless they run already.
   *
   * @throws UsageError when the decoder is not installed.
   */
  start(): Promise<ImageWorkers> {
    this.#started ??= start(this.workers, this.#queue);
    return this.#started;
  }

  /** Ends the threads. Jobs that wait, and those of an epoch that still runs, fail; later epochs start new threads. */
  async close(): Promise<void> {
    const started = this.#started;
    this.#started = undefined;
    await (await started?.catch(() => undefined))?.close(); // whoever started it was told of its failure
  }
}

/** The decoder comes first: it must be loaded before threads are, and here its absence is reported. */
async function start(threads: number, queue: number): Promise<ImageWorkers> {
  await openDecoder();
  const options = { module: 'data/worker.js', name: 'run', threads, queue };
  const started = threads > 0 ? await startWorkers<ImageJob, Failure[]>(options) : undefined;
  return untilClosed(started ?? { threads: 0, run: runJob, close: async () => {} });
}

/** Workers that refuse jobs once they are closed: piscina would start threads for them, which nobody ends. */
function untilClosed({ threads, run, close }: ImageWorkers): ImageWorkers {
  let isClosed = false;
  const refuse = (cause?: unknown): never => {
    throw new UsageError('The worker threads were closed while images were read; finish reading before closing.', {
      cause,
    });
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
