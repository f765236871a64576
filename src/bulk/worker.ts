/**
 * A worker: takes shards from a queue, one at a time, and processes them. The network and the decoding run outside of the
 * main thread, which so can say all the time that the worker lives. If it does not for five seconds, because it was killed or
 * its machine is gone, another worker takes its shard, at most fourteen seconds later.
 */
import type { Job, JobData, JobResult } from 'bullmq';
import { UsageError } from '../errors.ts';
import { checkRedis, loadBullmq, type QueueAt } from './connection.ts';
import { BulkModel, type Machine } from './network.ts';
import { Plan } from './plan.ts';
import { ShardJobs, type ShardSummary, summaryOf } from './shard-job.ts';

/** Milliseconds for which a worker has a shard, unless it renews its claim, which it does every half of that. */
const lockDuration = 5000;
/** Milliseconds between two looks for claims that ended. A shard is found by the second look. */
const stalledInterval = 2000;
/** How often a shard may lose its worker. This is not the number of attempts, which counts errors. */
const maxStalledCount = 5;
/** Milliseconds between two reports on a shard in progress. */
const reportEvery = 1000;

/** What happens to a worker. */
export type WorkerEvent =
  | { readonly event: 'ready'; readonly queue: string }
  | { readonly event: 'started'; readonly out: string; readonly shard: string }
  | ({ readonly event: 'shard'; readonly out: string; readonly shard: string } & JobResult)
  | {
      readonly event: 'failed';
      readonly out: string;
      readonly shard: string;
      readonly reason: string;
      /** Whether it is not tried again. */
      readonly isFinal: boolean;
    }
  | { readonly event: 'stalled'; readonly job: string }
  | { readonly event: 'trouble'; readonly reason: string };

export interface Working {
  /** Waits for the shard in progress. */
  close(): Promise<void>;
}

/**
 * Starts to work. Redis may end and come back: the worker goes on when it is there again.
 *
 * @throws UsageError if BullMQ is not installed, or there is no Redis at the start.
 */
export async function work(
  { url, name }: QueueAt,
  machine: Machine,
  onEvent: (event: WorkerEvent) => void,
): Promise<Working> {
  const { Worker } = await loadBullmq();
  await checkRedis(url);
  const desk = new Desk(machine);
  const connection = { url, maxRetriesPerRequest: null };
  const rules = { concurrency: 1, lockDuration, stalledInterval, maxStalledCount };
  const worker = new Worker(name, (job) => desk.process(job), { connection, ...rules });
  worker.on('ready', () => onEvent({ event: 'ready', queue: name }));
  worker.on('active', ({ data }) => onEvent({ event: 'started', out: data.out, shard: data.name }));
  worker.on('completed', ({ data }, result) => onEvent({ event: 'shard', out: data.out, shard: data.name, ...result }));
  worker.on('failed', (job, error) => {
    if (job) onEvent({ event: 'failed', ...failureOf(job, error) });
  });
  worker.on('stalled', (job) => onEvent({ event: 'stalled', job }));
  worker.on('error', ({ message }) => {
    // while Redis was gone, the shard's lock ended; it is handed out again, and found to be done
    if (!/^Missing lock/.test(message)) onEvent({ event: 'trouble', reason: message });
  });
  return {
    close: async () => {
      await worker.close();
      await desk.close();
    },
  };
}

const failureOf = ({ data, attemptsMade, opts }: Job, { message }: Error) => ({
  out: data.out,
  shard: data.name,
  reason: message,
  isFinal: attemptsMade >= opts.attempts,
});

/** The task that a worker is at, with its model. */
class Desk {
  readonly #machine: Machine;
  #current: { readonly plan: Plan; readonly model: BulkModel; readonly jobs: ShardJobs } | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  async process(job: Job): Promise<JobResult> {
    const { out, shard, isAgain = false } = job.data;
    const known = this.#current?.plan;
    const plan = known?.folder === out && known.id === job.data.plan ? known : planOf(job.data);
    const done = summaryOf(plan, shard);
    if (done && !(isAgain && done.unread.length > 0)) return resultOf(done, true);
    const jobs = await this.#jobsOf(plan);
    return resultOf(await jobs.run(shard, { onImage: reporter(job) }), false);
  }

  async close(): Promise<void> {
    await this.#current?.model.dispose();
    this.#current = undefined;
  }

  async #jobsOf(plan: Plan): Promise<ShardJobs> {
    if (this.#current?.plan === plan) return this.#current.jobs;
    await this.close();
    const model = await BulkModel.open(plan.settings, this.#machine);
    this.#current = { plan, model, jobs: new ShardJobs(plan, model) };
    return this.#current.jobs;
  }
}

/** @throws UsageError if the folder is not there, or has another plan than the job's. */
function planOf({ out, plan: id }: JobData): Plan {
  const plan = Plan.in(out);
  if (plan?.id === id) return plan;
  const found = plan ? 'has the plan of another task' : 'has no plan';
  throw new UsageError(
    `"${out}" ${found} on this machine. Mount the folder of the results there, or submit the task again.`,
  );
}

const resultOf = ({ images, unread, seconds }: ShardSummary, isRepeated: boolean): JobResult => ({
  images,
  unread: unread.length,
  seconds,
  isRepeated,
});

function reporter(job: Job): (done: number, total: number) => void {
  let last = Date.now();
  return (done, total) => {
    if (Date.now() - last < reportEvery) return;
    last = Date.now();
    job.updateProgress({ done, total }).catch(() => {}); // it is only for people
  };
}
