/** The kinds of values that an image can be given as, and how each is read. */
import { type Image, isFile, openDecoder } from '#platform/images';
import { FormatError } from '../errors.ts';
import { type GivenOf, resolve as withDefaults } from '../options.ts';
import { maxMegapixels } from './budget.ts';
import { fetchBytes, shortName } from './fetch.ts';
import type { Sample } from './folder.ts';
import { type JobImage, openJobImage } from './job.ts';

/**
 * A path or `file:` URL (in Node), any other URL (relative to the page in a browser), the bytes of an image file, a Blob of
 * them, or decoded pixels in RGB or grayscale.
 */
export type ImageSource = string | Uint8Array | Blob | Image;

/** An image, or a function that gets it, with a name for messages. */
export interface NamedImage {
  readonly name: string;
  readonly image: ImageSource | (() => Promise<ImageSource>);
}

const readFields = { maxMegapixels };

/** How to read an image. `maxMegapixels` limits its size; default: 100. */
export type ReadImageOptions = GivenOf<typeof readFields>;

/**
 * Decodes an image file to RGB.
 *
 * @param input a path (in Node), or the bytes of an image file.
 * @param name the image's name in errors. Default: the path.
 * @throws FormatError if the file cannot be read, is truncated, is not an image or has too many pixels; UsageError if sharp
 *   is not installed.
 * @example const { width, height, data } = await decode('rose.jpg');
 */
export async function decode(
  input: string | Uint8Array,
  name?: string,
  options: ReadImageOptions = {},
): Promise<Image> {
  await openDecoder();
  const image =
    typeof input === 'string' ? { name: name ?? input, path: input } : { name: name ?? 'image', bytes: input };
  return decodeWhole(image, options);
}

/**
 * Fetches or reads an image, and decodes it.
 *
 * @param name the image's name in errors. Default: its path or URL.
 * @throws FormatError naming the image if it cannot be fetched, read or decoded, or has too many pixels.
 * @example const image = await readImage('https://example.org/rose.jpg');
 */
export async function readImage(
  image: ImageSource,
  name = nameOf(image),
  options: ReadImageOptions = {},
): Promise<Image> {
  return decodeWhole(await resolve(image, name), options);
}

async function decodeWhole(image: JobImage, options: ReadImageOptions): Promise<Image> {
  const opened = await openJobImage(image, withDefaults(readFields, options).maxMegapixels);
  return opened.decode();
}

/** The name in messages of an image that was given without one. */
export const nameOf = (image: ImageSource): string => (typeof image === 'string' ? shortName(image) : 'image');

/** The image for a job: immediately if it is a path, otherwise after it was fetched. */
export function toJobImage(sample: Sample | NamedImage): JobImage | Promise<JobImage> {
  const { name, image } = 'path' in sample ? { name: sample.path, image: sample.path } : sample;
  if (typeof image === 'string' && isFile(image)) return { name, path: image };
  return resolveOrFail(name, image);
}

async function resolveOrFail(name: string, image: NamedImage['image']): Promise<JobImage> {
  try {
    return await resolve(typeof image === 'function' ? await image() : image, name);
  } catch (error) {
    if (error instanceof FormatError) return { failure: error.message };
    throw error;
  }
}

async function resolve(image: ImageSource, name: string): Promise<JobImage> {
  if (typeof image === 'string')
    return isFile(image) ? { name, path: image } : { name, bytes: await fetchBytes(image) };
  if (image instanceof Uint8Array) return { name, bytes: image };
  if (image instanceof Blob) return { name, bytes: new Uint8Array(await image.arrayBuffer()) };
  return { name, pixels: image };
}
