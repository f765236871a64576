/**
 * What runs in each thread of a pool. Jobs are done one after the other, in the order in which they were posted: the batch
 * that is wanted first is ready first.
 */
import { openDecoder } from '#platform/images';
import { type Failure, type ImageJob, runJob } from './job.ts';

await openDecoder({ oneThread: true }); // the workers are the concurrency

let last: Promise<unknown> = Promise.resolve();

export function run(job: ImageJob): Promise<Failure[]> {
  const done = last.then(() => runJob(job));
  last = done.catch(() => {});
  return done;
}
