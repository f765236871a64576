/**
 * The work done in the background: reads, decodes and transforms some images of a batch, and writes them to its memory.
 * Randomness depends only on (seed, epoch, index, repetition) of the image, so the result does not depend on which thread
 * does it.
 */
import { type Extent, type Image, type OpenedImage, openImage, readImageFile, readPacked } from '#platform/images';
import { FormatError } from '../errors.ts';
import { type PixelBudget, withPixels } from './budget.ts';
import { get, type ImageCache, put } from './cache.ts';
import { checkPixels, toRgb } from './pixels.ts';
import { sampleRandom } from './random.ts';
import { applyPrefix, applySteps } from './transforms/apply.ts';
import type { Transforms } from './transforms/table.ts';

/** An image as it is posted to a worker thread, with its name for messages, or the reason why there is none. */
export type JobImage =
  | { readonly name: string; readonly path: string }
  | ({ readonly name: string } & Extent)
  | { readonly name: string; readonly bytes: Uint8Array }
  | { readonly name: string; readonly pixels: Image }
  | { readonly failure: string };

/** Plain data. */
export interface ImageJob {
  readonly images: readonly JobImage[];
  /** The images' indices in the dataset. */
  readonly indices: readonly number[];
  /** How often each of them came before in the epoch. */
  readonly repetitions: readonly number[];
  /** The transforms in two parts, as returned by `splitTransforms`. */
  readonly prefix: Transforms;
  readonly rest: Transforms;
  /** Holds images after `prefix`. */
  readonly cache: ImageCache | undefined;
  /** Shared by all jobs of a pool, which adds it. */
  readonly budget: PixelBudget;
  readonly seed: number;
  readonly epoch: number;
  /** Receive the images; parts of shared memory between threads. */
  readonly outs: readonly Float32Array[]; // n times [C, H, W]
}

/** An image of the job that cannot be used, and why, in a sentence. */
export interface Failure {
  readonly position: number;
  readonly message: string;
}

/** The result of a job in a thread: an image's failures, or a UsageError's message, since classes are lost on the way. */
export type ThreadResult = Failure[] | { readonly refused: string };

/** Images in progress at a time: libvips decodes some on libuv's threads while this thread resizes another. */
const concurrency = 4;

export async function runJob(job: ImageJob): Promise<Failure[]> {
  const failures: Failure[] = [];
  let next = 0;
  const work = async () => {
    while (next < job.images.length) {
      const position = next++;
      await fill(job, position).catch((error: unknown) => {
        if (!(error instanceof FormatError)) throw error;
        failures.push({ position, message: error.message });
      });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return failures.sort((a, b) => a.position - b.position);
}

async function fill(job: ImageJob, position: number): Promise<void> {
  const { images, indices, repetitions, rest, cache, budget, seed, epoch, outs } = job;
  const index = indices[position]!;
  const random = sampleRandom(seed, epoch, index, repetitions[position]);
  const finish = (image: Image) => applySteps(rest, image, random, outs[position]);
  const kept = cache && get(cache, index);
  if (kept) return void finish(kept);
  const source = images[position]!;
  const { pixels, decode } = await openJobImage(source, budget.maxMegapixels);
  await withPixels(budget, pixels, async () => finish(prepare(job, source, index, await decode())));
}

/** An image after the steps of `prefix`, which is then cached for the next epoch. */
function prepare({ prefix, cache }: ImageJob, source: JobImage, index: number, decoded: Image): Image {
  try {
    const image = applyPrefix(prefix, decoded);
    if (cache) put(cache, index, image);
    return image;
  } catch (error) {
    if (!(error instanceof FormatError) || !('name' in source)) throw error;
    throw new FormatError(`Image "${source.name}" cannot be used. ${error.message}`, { cause: error });
  }
}

/** Reads an image's header. Grayscale pixels are converted to RGB, as decoders do. */
export async function openJobImage(image: JobImage, maxMegapixels: number): Promise<OpenedImage> {
  if ('failure' in image) throw new FormatError(image.failure);
  if ('pixels' in image) {
    const { pixels } = image;
    checkPixels(pixels, image.name);
    const { width, height } = pixels;
    return { width, height, pixels: 0, decode: async () => toRgb(pixels) };
  }
  return openImage(await bytesOf(image), image.name, maxMegapixels);
}

function bytesOf(image: Exclude<JobImage, { failure: string } | { pixels: Image }>): Uint8Array | Promise<Uint8Array> {
  if ('bytes' in image) return image.bytes;
  return 'start' in image ? readPacked(image, image.name) : readImageFile(image.path, image.name);
}
