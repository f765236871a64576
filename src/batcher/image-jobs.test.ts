/** How images share the jobs of worker threads. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Failure, ImageJob } from '../data/job.ts';
import type { ImageWorkers, WorkerPool } from '../data/pool.ts';
import { evaluationTransforms, preprocessingFor } from '../data/presets.ts';
import { ImageJobs } from './image-jobs.ts';

const transforms = evaluationTransforms(preprocessingFor({ images: 'small', size: 4 }));

/** Jobs for two threads that write the numbers that images are called to their places, when they are told to. */
function twoThreads() {
  const posted: string[][] = [];
  const finish: ((outcome: readonly Failure[] | Error) => void)[] = [];
  const run: ImageWorkers['run'] = async ({ images, outs }: Pick<ImageJob, 'images' | 'outs'>) => {
    const names = images.map((image) => ('name' in image ? image.name : ''));
    posted.push(names);
    const outcome = await new Promise<readonly Failure[] | Error>((resolve) => finish.push(resolve));
    if (outcome instanceof Error) throw outcome;
    for (const [n, out] of outs.entries()) out.fill(Number(names[n]));
    return [...outcome];
  };
  const pool = { workers: 2, start: async () => ({ run }) } as unknown as WorkerPool;
  const jobs = new ImageJobs(pool, transforms, 12);
  const next = async (outcome: readonly Failure[] | Error = []) => {
    while (finish.length === 0) await sleep(1);
    finish.shift()!(outcome);
  };
  const read = (n: number) => jobs.run({ name: `${n}`, bytes: new Uint8Array(1) }, n);
  return { read, posted, next };
}

test('images of one turn are divided among the threads, and what waits goes with the next job', async () => {
  const { read, posted, next } = twoThreads();
  const all = Array.from({ length: 11 }, (_, n) => read(n));
  await next();
  expect(posted).toEqual([
    ['0', '1', '2', '3'],
    ['4', '5', '6', '7'],
  ]);
  await next();
  await next();
  for (const [n, pixels] of (await Promise.all(all)).entries()) {
    expect(pixels).toEqual(new Float32Array(3 * 4 * 4).fill(n));
  }
  expect(posted.slice(2)).toEqual([['8', '9', '10']]);
});

test('few images are a job each', async () => {
  const { read, posted, next } = twoThreads();
  const both = [read(0), read(1)];
  await next();
  await next();
  await Promise.all(both);
  expect(posted).toEqual([['0'], ['1']]);
});

test('a failure is that of its image, an error is that of its job, and later images are read', async () => {
  const { read, next } = twoThreads();
  const first = Promise.allSettled([read(0), read(1), read(2), read(3)]);
  await next([{ position: 1, message: 'Image "1" is damaged.' }]);
  await next(new Error('closed'));
  const outcomes = (await first).map((each) => (each.status === 'rejected' ? each.reason.message : 'read'));
  expect(outcomes).toEqual(['read', 'Image "1" is damaged.', 'closed', 'closed']);
  const later = read(4);
  await next();
  expect((await later)[0]).toBe(4);
});
