/**
 * The work that is done in the background: a run of a batch's images is read, decoded, transformed and written to its
 * place. Everything random depends on (seed, epoch, index) of the image alone, so it does not matter who does what.
 */

import { readFileSync } from 'node:fs';
import { FormatError } from '../errors.ts';
import { type ImageCache, keep, recall } from './cache.ts';
import { absent, decode, type Image } from './image.ts';
import { sampleRandom } from './random.ts';
import { applyPrefix, applyTransforms } from './transforms/apply.ts';
import type { Transforms } from './transforms/table.ts';

/** Plain data, as it is posted to a worker thread. */
export interface Chunk {
  readonly paths: readonly string[];
  /** The samples' places in the data set, one per path. */
  readonly indices: readonly number[];
  /** The transforms in two parts: what comes before the first random step, and the rest. */
  readonly prefix: Transforms;
  readonly rest: Transforms;
  /** Where images are kept as they are after `prefix`. */
  readonly cache: ImageCache | undefined;
  readonly seed: number;
  readonly epoch: number;
  /** Where image i is written: values i · length … of [C, H, W] each. Shared memory between threads. */
  readonly images: Float32Array; // [n, C, H, W]
}

/** An image of the chunk that cannot be used, and the sentence that says why. */
export interface Failure {
  readonly position: number;
  readonly message: string;
}

/** Images on their way at a time: libvips decodes some, on libuv's threads, while this thread resizes another. */
const lanes = 4;

export async function fillChunk(chunk: Chunk): Promise<Failure[]> {
  const failures: Failure[] = [];
  let next = 0;
  const lane = async () => {
    while (next < chunk.paths.length) {
      const position = next++;
      await fill(chunk, position).catch((error: unknown) => {
        if (!(error instanceof FormatError)) throw error;
        failures.push({ position, message: error.message });
      });
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return failures.sort((a, b) => a.position - b.position);
}

async function fill(chunk: Chunk, position: number): Promise<void> {
  const { paths, indices, rest, cache, seed, epoch, images } = chunk;
  const index = indices[position]!;
  const length = images.length / paths.length; // C · H · W
  const place = images.subarray(position * length, (position + 1) * length);
  const image = (cache && recall(cache, index)) ?? (await prepare(chunk, paths[position]!, index));
  applyTransforms(rest, image, sampleRandom(seed, epoch, index), place);
}

/** An image from its file, after the steps that are not random; kept for the next epoch. */
async function prepare({ prefix, cache }: Chunk, path: string, index: number): Promise<Image> {
  const decoded = await decode(read(path), path);
  try {
    const image = applyPrefix(prefix, decoded);
    if (cache) keep(cache, index, image);
    return image;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(`Image "${path}" cannot be used. ${error.message}`, { cause: error });
  }
}

/** Blocks: for small files that is quicker than four trips through libuv's threads, which decode meanwhile. */
function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw absent(path, cause);
  }
}
