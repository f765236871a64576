/**
 * Runs in each thread of a pool. Jobs run one after the other, in the order in which they were posted, so that the batch
 * that is needed first is ready first.
 */
import { openDecoder } from '#platform/images';
import { UsageError } from '../errors.ts';
import { type ImageJob, runJob, type ThreadResult } from './job.ts';

await openDecoder({ oneThread: true }); // the workers already run in parallel

let last: Promise<unknown> = Promise.resolve();

export function run(job: ImageJob): Promise<ThreadResult> {
  const done = last.then(() => runJob(job));
  last = done.catch(() => {});
  return done.catch((error: unknown) => {
    if (error instanceof UsageError) return { refused: error.message };
    throw error;
  });
}
