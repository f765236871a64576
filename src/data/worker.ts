/**
 * What runs in each of the loader's worker threads. Chunks are done one after the other, in the order they were posted:
 * the batch that is wanted first is ready first.
 */

import { type Chunk, type Failure, fillChunk } from './chunk.ts';
import { loadSharp } from './sharp.ts';

const sharp = await loadSharp();
sharp.concurrency(1); // the workers are the concurrency
sharp.cache(false); // no image is read twice in an epoch

let last: Promise<unknown> = Promise.resolve();

export function fill(chunk: Chunk): Promise<Failure[]> {
  const done = last.then(() => fillChunk(chunk));
  last = done.catch(() => {});
  return done;
}
