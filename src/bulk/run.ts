/** Bulk work by one process: the shards of its part that are not done, one after another. */
import { setTimeout } from 'node:timers/promises';
import { FormatError, UsageError } from '../errors.ts';
import { isInPart, type Part } from './part.ts';
import type { Plan } from './plan.ts';
import { Rate } from './rate.ts';
import { remaining, type ShardHooks, type ShardSummary } from './shard-job.ts';

/** How often a shard is tried, and how long to wait before it is tried again. */
export interface Retries {
  readonly attempts: number;
  /** Milliseconds, doubled each time. */
  readonly delay: number;
}

export const retryDelay = 1000;

export interface RunOptions extends Retries {
  readonly part: Part;
  /** Whether to repeat shards with images that could not be read. */
  readonly retryUnread: boolean;
}

/** What happens, in order. */
export type RunEvent =
  | { readonly event: 'plan'; readonly shards: number; readonly done: number; readonly images?: number }
  | ({ readonly event: 'shard' } & Pick<ShardSummary, 'shard' | 'images' | 'unread' | 'seconds'> & Pace)
  | { readonly event: 'failed'; readonly shard: string; readonly attempts: number; readonly reason: string };

interface Pace {
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
}

export interface RunHooks {
  readonly onEvent: (event: RunEvent) => void;
  /** Called for each image. */
  readonly onProgress: (rate: Rate) => void;
}

/** What one process did. */
export interface Ran {
  readonly shards: number;
  readonly images: number;
  readonly unread: number;
  readonly failed: number;
  readonly seconds: number;
}

/**
 * Processes the shards of a part. One that fails is tried again; if it fails each time, the others go on.
 *
 * @param run processes a shard.
 */
export async function runPart(
  plan: Plan,
  run: (shard: number, hooks: ShardHooks) => Promise<ShardSummary>,
  { part, retryUnread, ...retries }: RunOptions,
  { onEvent, onProgress }: RunHooks,
): Promise<Ran> {
  const own = Array.from({ length: plan.shards }, (_, shard) => shard).filter((shard) => isInPart(shard, part));
  const todo = [...remaining(plan, { retryUnread })].filter((shard) => isInPart(shard, part));
  const { images } = plan;
  onEvent({
    event: 'plan',
    shards: own.length,
    done: own.length - todo.length,
    ...(images !== undefined && part.of === 1 && { images }),
  });
  const rate = new Rate(todo.length);
  const ran = { shards: 0, images: 0, unread: 0, failed: 0 };
  const onImage = (done: number, total: number) => {
    rate.image(done, total);
    onProgress(rate);
  };
  for (const shard of todo) {
    const summary = await attempt(() => run(shard, { onImage }), retries);
    rate.shard();
    if ('reason' in summary) {
      ran.failed++;
      onEvent({ event: 'failed', shard: plan.name(shard), attempts: retries.attempts, reason: summary.reason });
      continue;
    }
    ran.shards++;
    ran.images += summary.images;
    ran.unread += summary.unread.length;
    const { imagesPerSecond, secondsLeft } = rate;
    const { shard: name, images, unread, seconds } = summary;
    onEvent({ event: 'shard', shard: name, images, unread, seconds, imagesPerSecond, secondsLeft });
  }
  return { ...ran, seconds: rate.seconds };
}

/** Errors that are no bug become the reason. */
async function attempt<T>(
  run: () => Promise<T>,
  { attempts, delay }: Retries,
): Promise<T | { readonly reason: string }> {
  for (let number = 1; ; number++) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof UsageError)) throw error;
      if (number === attempts) return { reason: error.message };
      await setTimeout(delay * 2 ** (number - 1));
    }
  }
}
