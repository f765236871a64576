/**
 * A queue of shards in Redis, kept by BullMQ. It is only a way to hand out the shards of plans: a job names the folder of a
 * task and a shard, and whether a shard is done is for its files to tell. So a job that runs twice, or is submitted twice,
 * does no harm.
 */
import { resolve } from 'node:path';
import type { Job, JobProgress, Queue } from 'bullmq';
import { checkRedis, loadBullmq, type QueueAt } from './connection.ts';
import type { Plan } from './plan.ts';
import { rounded } from './rate.ts';
import { type Retries, retryDelay } from './run.ts';
import { remaining } from './shard-job.ts';

/** A shard that failed each time, or whose workers ended too often. */
export interface DeadShard {
  readonly out: string;
  readonly shard: string;
  readonly attempts: number;
  readonly reason: string;
}

/** Numbers of shards. */
export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  /** Those that failed, and wait for a moment to be tried again. */
  readonly retrying: number;
  readonly done: number;
  readonly failed: number;
}

/** What a queue holds. */
export interface QueueStatus extends QueueCounts {
  /** By the shards that were done last. */
  readonly imagesPerSecond?: number;
  readonly secondsLeft?: number;
  readonly running: readonly ({ readonly out: string; readonly shard: string } & Partial<JobProgress>)[];
  /** The last of them. */
  readonly dead: readonly DeadShard[];
}

/** Jobs that are sent or read at a time. */
const pageSize = 500;
/** The shards that the speed is measured by. */
const measured = 100;
const mostListed = 100;

export class ShardQueue {
  /** Sentences for the user on what the queue may lose. */
  readonly notes: readonly string[];
  readonly #queue: Queue;

  private constructor(queue: Queue, notes: readonly string[]) {
    this.#queue = queue;
    this.notes = notes;
  }

  /** @throws UsageError if BullMQ is not installed, or there is no Redis. */
  static async open({ url, name }: QueueAt): Promise<ShardQueue> {
    const { Queue } = await loadBullmq();
    const notes = await checkRedis(url);
    const queue = new Queue(name, { connection: { url } });
    queue.on('error', () => {}); // it connects again, and commands fail if it cannot
    return new ShardQueue(queue, notes);
  }

  /**
   * Submits the shards of a plan that are not done. One that waits in the queue, or failed there, starts over; one in progress goes on.
   *
   * @returns their number.
   */
  async submit(
    plan: Plan,
    { attempts, retryUnread }: Pick<Retries, 'attempts'> & { readonly retryUnread: boolean },
    onSubmitted: (count: number) => void,
  ): Promise<number> {
    let count = 0;
    for (const shards of pagesOf(remaining(plan, { retryUnread }))) {
      const jobs = shards.map((shard) => jobOf(plan, shard, { attempts, retryUnread }));
      await Promise.all(jobs.map(({ opts }) => this.#queue.remove(opts.jobId)));
      await this.#queue.addBulk(jobs);
      count += jobs.length;
      onSubmitted(count);
    }
    return count;
  }

  async counts(): Promise<QueueCounts> {
    const found = await this.#queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed');
    const { waiting, active, delayed: retrying, failed, completed: done } = found;
    return { waiting, active, retrying, done, failed };
  }

  async status(): Promise<QueueStatus> {
    const counts = await this.counts();
    const [running, dead, done] = await Promise.all([
      this.#jobs('active', mostListed),
      this.#jobs('failed', mostListed),
      this.#jobs('completed', measured),
    ]);
    return {
      ...counts,
      ...speedOf(done, counts.waiting + counts.active + counts.retrying),
      running: running.map(({ data, progress }) => {
        return { out: data.out, shard: data.name, ...(typeof progress === 'object' && progress) };
      }),
      dead: dead.map(deadOf),
    };
  }

  /** Lets the shards that failed be tried again, and returns their number. */
  async retry(out?: string): Promise<number> {
    return this.#each('failed', out, (job) => job.retry('failed', { resetAttemptsMade: true }));
  }

  /** Removes shards that nobody processes now, and returns the number of those that were not done. */
  async cancel(out?: string): Promise<number> {
    const remove = (job: Job) => job.remove();
    let count = 0;
    for (const state of ['waiting', 'delayed', 'failed'] as const) count += await this.#each(state, out, remove);
    await this.#each('completed', out, remove);
    return count;
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }

  async #jobs(state: State, most: number): Promise<Job[]> {
    const jobs = await this.#queue.getJobs([state], 0, most - 1);
    return jobs.filter((job) => job !== undefined);
  }

  /** Does something that takes jobs out of a state. Those that meanwhile left it are passed over. */
  async #each(state: State, out: string | undefined, action: (job: Job) => Promise<void>): Promise<number> {
    const folder = out === undefined ? undefined : resolve(out);
    let [count, start] = [0, 0];
    for (;;) {
      const jobs = await this.#queue.getJobs([state], start, start + pageSize - 1);
      if (jobs.length === 0) return count;
      const results = await Promise.all(
        jobs.map(async (job) => {
          if (!job || (folder !== undefined && job.data.out !== folder)) return false;
          return action(job).then(
            () => true,
            () => false,
          );
        }),
      );
      const taken = results.filter(Boolean).length;
      count += taken;
      start += jobs.length - taken;
    }
  }
}

type State = Parameters<Queue['getJobCounts']>[number];

function* pagesOf(values: Iterable<number>): Generator<number[], void, undefined> {
  let page: number[] = [];
  for (const value of values) {
    if (page.push(value) < pageSize) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** A job is determined by the plan and the shard, so that each is in the queue once. */
function jobOf(
  plan: Plan,
  shard: number,
  { attempts, retryUnread }: { readonly attempts: number; readonly retryUnread: boolean },
): Parameters<Queue['addBulk']>[0][number] {
  const name = plan.name(shard);
  const again = retryUnread ? { isAgain: true } : {};
  return {
    name: 'shard',
    data: { out: resolve(plan.folder), plan: plan.id, shard, name, ...again },
    opts: { jobId: `${plan.id}-${name}`, attempts, backoff: { type: 'exponential', delay: retryDelay } },
  };
}

/** BullMQ's words for a job whose worker ended, or did not answer, too often. */
const stalled = /stalled more than allowable/;

function deadOf({ data, attemptsMade, failedReason = '' }: Job): DeadShard {
  const reason = stalled.test(failedReason)
    ? 'Its workers ended or hung each time while they processed it. It may take too much memory: choose smaller batches, or look at its images.'
    : failedReason;
  return { out: data.out, shard: data.name, attempts: attemptsMade, reason };
}

/** The speed of all workers together, from the first start to the last end of the shards that were done last. */
function speedOf(done: readonly Job[], left: number): Pick<QueueStatus, 'imagesPerSecond' | 'secondsLeft'> {
  const own = done.filter(({ returnvalue }) => returnvalue && !returnvalue.isRepeated);
  const start = Math.min(...own.map(({ processedOn = Number.NaN }) => processedOn));
  const end = Math.max(...own.map(({ finishedOn = Number.NaN }) => finishedOn));
  const seconds = (end - start) / 1000;
  if (!(seconds > 0) || !Number.isFinite(seconds)) return {};
  const images = own.reduce((sum, { returnvalue }) => sum + returnvalue!.images, 0);
  return { imagesPerSecond: rounded(images / seconds), secondsLeft: rounded((left * seconds) / own.length) };
}
