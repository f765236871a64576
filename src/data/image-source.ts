/** All that an image may be given as, and how each becomes pixels. */
import { decodeImage, type Image, isFile, openDecoder, readImageFile } from '#platform/images';
import { FormatError } from '../errors.ts';
import { fetchBytes, shortName } from './fetch.ts';
import type { Sample } from './folder.ts';
import { decodeJobImage, type JobImage } from './job.ts';

/**
 * A path or `file:` URL (in Node), any other URL (relative to the page in a browser), the bytes of an image file, a Blob of
 * them, or decoded pixels, RGB or grayscale.
 */
export type ImageSource = string | Uint8Array | Blob | Image;

/** An image, or how to get it, and the name that messages give it. */
export interface NamedImage {
  readonly name: string;
  readonly image: ImageSource | (() => Promise<ImageSource>);
}

/**
 * Decodes an image file to RGB.
 *
 * @param input a path, or the bytes of an image file.
 * @param name what error messages call the image; the path by default.
 * @throws FormatError when it cannot be read, is cut short or is no image; UsageError when sharp is not installed.
 * @example const { width, height, data } = await decode('rose.jpg');
 */
export async function decode(input: string | Uint8Array, name?: string): Promise<Image> {
  await openDecoder();
  if (typeof input !== 'string') return decodeImage(input, name ?? 'image');
  return decodeImage(readImageFile(input, name), name ?? input);
}

/**
 * Decodes an image, wherever it is.
 *
 * @param name what messages call it; its path or address unless given.
 * @throws FormatError naming the image when it cannot be fetched, read or decoded.
 * @example const image = await readImage('https://example.org/rose.jpg');
 */
export async function readImage(image: ImageSource, name = nameOf(image)): Promise<Image> {
  return decodeJobImage(await resolve(image, name));
}

/** What messages call an image that was given without a name. */
export const nameOf = (image: ImageSource): string => (typeof image === 'string' ? shortName(image) : 'image');

/** The image as a job takes it: at once where it is a path, after it was fetched where it is not here. */
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
