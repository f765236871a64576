/**
 * The work that is done in the background: some images of a batch are read, decoded, transformed and written to their
 * places. All that is random depends on (seed, epoch, index) of the image alone, so it does not matter who does what.
 */
import { decodeImage, type Image, readImageFile } from '#platform/images';
import { FormatError } from '../errors.ts';
import { get, type ImageCache, put } from './cache.ts';
import { toRgb } from './pixels.ts';
import { sampleRandom } from './random.ts';
import { applyPrefix, applyTransforms } from './transforms/apply.ts';
import type { Transforms } from './transforms/table.ts';

/** An image as it is posted to a worker thread, by the name that messages give it, or why there is none. */
export type JobImage =
  | { readonly name: string; readonly path: string }
  | { readonly name: string; readonly bytes: Uint8Array }
  | { readonly name: string; readonly pixels: Image }
  | { readonly failure: string };

/** Plain data. */
export interface ImageJob {
  readonly images: readonly JobImage[];
  /** The images' places in the data set. */
  readonly indices: readonly number[];
  /** The transforms in two parts, as `splitTransforms` cuts them. */
  readonly prefix: Transforms;
  readonly rest: Transforms;
  /** Where images are kept as they are after `prefix`. */
  readonly cache: ImageCache | undefined;
  readonly seed: number;
  readonly epoch: number;
  /** Where the results are written; shared memory between threads. */
  readonly out: Float32Array; // [n, C, H, W]
}

/** An image of the job that cannot be used, and the sentence that says why. */
export interface Failure {
  readonly position: number;
  readonly message: string;
}

/** Images at work at a time: libvips decodes some, on libuv's threads, while this thread resizes another. */
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
  const { images, indices, rest, cache, seed, epoch, out } = job;
  const index = indices[position]!;
  const length = out.length / images.length; // C · H · W
  const place = out.subarray(position * length, (position + 1) * length);
  const image = (cache && get(cache, index)) ?? (await prepare(job, images[position]!, index));
  applyTransforms(rest, image, sampleRandom(seed, epoch, index), place);
}

/** An image after the steps that are not random; kept for the next epoch. */
async function prepare({ prefix, cache }: ImageJob, source: JobImage, index: number): Promise<Image> {
  const decoded = await decodeJobImage(source);
  try {
    const image = applyPrefix(prefix, decoded);
    if (cache) put(cache, index, image);
    return image;
  } catch (error) {
    if (!(error instanceof FormatError) || !('name' in source)) throw error;
    throw new FormatError(`Image "${source.name}" cannot be used. ${error.message}`, { cause: error });
  }
}

/** RGB, also of an image that is given as grayscale pixels, as decoders have it. */
export async function decodeJobImage(image: JobImage): Promise<Image> {
  if ('failure' in image) throw new FormatError(image.failure);
  if ('pixels' in image) return toRgb(checked(image.pixels, image.name));
  return decodeImage('bytes' in image ? image.bytes : readImageFile(image.path, image.name), image.name);
}

/** Pixels that a program made, such as a canvas's, whose four channels are a common mistake. */
function checked(pixels: Image, name: string): Image {
  const { width, height, channels, data } = pixels;
  if ((channels === 1 || channels === 3) && data.length > 0 && data.length === width * height * channels) return pixels;
  throw new FormatError(
    `Image "${name}" has ${data.length} bytes for ${width} × ${height} pixels of ${channels} channels, but expected width × height × channels bytes, of 1 (grayscale) or 3 (RGB) channels.`,
  );
}
