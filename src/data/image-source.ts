/** The kinds of values that an image can be given as, and how each is read. */
import { type Image, isFile, type OpenedImage } from '#platform/images';
import { checkArgument, checkOptions, hasAll, isObject, isOf, kind } from '../arguments.ts';
import { FormatError } from '../errors.ts';
import { type GivenOf, resolve as withDefaults } from '../options.ts';
import { maxMegapixels } from './budget.ts';
import { Fetches, type FetchOptions, fetchBytes, shortName } from './fetch.ts';
import { type JobImage, openJobImage } from './job.ts';
import { pixelsKind } from './pixels.ts';
import type { ImageSource, LabeledImage, Sample } from './samples.ts';

export type { ImageSource } from './samples.ts';

/** An image, or a function that gets it, with a name for messages. */
export interface NamedImage {
  readonly name: string;
  readonly image: ImageSource | (() => Promise<ImageSource>);
}

const readFields = { maxMegapixels };

/** How to read an image. `maxMegapixels` limits its size; default: 100. */
export type ReadImageOptions = GivenOf<typeof readFields>;

const isSource = (value: unknown): boolean =>
  (typeof value === 'string' && value !== '') || isOf(value, 'URL', 'Uint8Array', 'ArrayBuffer', 'Blob', 'File');

const sources = 'a path, a URL, a Blob, an ArrayBuffer, a Uint8Array, or pixels { width, height, channels, data }';

/** An image, as an argument. */
export const imageKind = kind(sources, (value) => isSource(value) || pixelsKind.accepts(value));

/** An image, possibly with a name, as an argument. */
export const namedImageKind = kind(`${sources}, or one with a name { name, image }`, (value) => {
  if (!isObject(value) || !('image' in value)) return imageKind.accepts(value);
  const { name, image } = value;
  return typeof name === 'string' && (typeof image === 'function' || imageKind.accepts(image));
});

/** An image for a loader: a file and its class, or an image with a name. */
export const sampleKind = kind('{ path, label } or { name, image }', (value) => {
  if (!hasAll(value, 'path')) return hasAll(value, 'image') && namedImageKind.accepts(value);
  const { path, label } = value as Partial<Sample>;
  return typeof path === 'string' && path !== '' && Number.isInteger(label) && label! >= 0;
});

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
  input: string | URL | Uint8Array | ArrayBuffer,
  name?: string,
  options: ReadImageOptions = {},
): Promise<Image> {
  checkArgument('input', input, fileKind);
  if (typeof input !== 'string' && !isUrlObject(input)) {
    return decodeWhole({ name: name ?? 'image', bytes: bytesOf(input) }, options);
  }
  const path = `${input}`;
  return decodeWhole({ name: name ?? path, path }, options);
}

const fileKind = kind(
  'a path, an ArrayBuffer or a Uint8Array',
  (value) => isSource(value) && !isOf(value, 'Blob', 'File'),
);

const isUrlObject = (value: unknown): value is URL => isOf(value, 'URL');

const bytesOf = (bytes: Uint8Array | ArrayBuffer): Uint8Array =>
  isOf(bytes, 'ArrayBuffer') ? new Uint8Array(bytes as ArrayBuffer) : (bytes as Uint8Array);

/**
 * Fetches or reads an image, and decodes it.
 *
 * @param name the image's name in errors. Default: its path or URL.
 * @throws FormatError naming the image if it cannot be fetched, read or decoded, or has too many pixels.
 * @example const image = await readImage('https://example.org/rose.jpg');
 */
export async function readImage(
  image: ImageSource,
  name = imageName(image),
  options: ReadImageOptions = {},
): Promise<Image> {
  checkArgument('image', image, imageKind);
  return decodeWhole(await resolve(image, name), options);
}

async function decodeWhole(image: JobImage, options: ReadImageOptions): Promise<Image> {
  checkOptions(readFields, options);
  const opened = await openJobImage(image, withDefaults(readFields, options).maxMegapixels);
  return opened.decode();
}

/** Decodes a sample to RGB. Throws as `readImage` does. */
export async function readSample(sample: LabeledImage, maxMegapixels: number): Promise<Image> {
  return (await openSample(sample, maxMegapixels)).decode();
}

/** As `readSample`, but undefined for an image that cannot be read. */
export async function readIfPossible(sample: LabeledImage, maxMegapixels: number): Promise<Image | undefined> {
  try {
    return await readSample(sample, maxMegapixels);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** The width and height of a sample, by the header of its file. Throws as `readImage` does, except for damage past it. */
export async function sizeOfSample(sample: LabeledImage, maxMegapixels: number): Promise<readonly [number, number]> {
  const { width, height } = await openSample(sample, maxMegapixels);
  return [width, height];
}

async function openSample(sample: LabeledImage, maxMegapixels: number): Promise<OpenedImage> {
  return openJobImage(await toJobImage(sample, new Fetches()), maxMegapixels);
}

/** The name in messages of an image that was given without one. */
export const imageName = (image: ImageSource): string =>
  typeof image === 'string' || isUrlObject(image) ? shortName(`${image}`) : 'image';

/** The image for a job: immediately if it is in a file or its bytes are here, otherwise after it was fetched. */
export function toJobImage(sample: LabeledImage | NamedImage, fetches: Fetches): JobImage | Promise<JobImage> {
  if ('start' in sample) return sample;
  const { name, image } = 'path' in sample ? { name: sample.path, image: sample.path } : sample;
  if (isUrlObject(image)) return toJobImage({ name, image: image.href }, fetches);
  if (typeof image === 'string' && isFile(image)) return { name, path: image };
  if (isOf(image, 'Uint8Array')) return { name, bytes: image as Uint8Array };
  return fetches.run((options) => resolveOrFail(name, image, options));
}

async function resolveOrFail(name: string, image: NamedImage['image'], options: FetchOptions): Promise<JobImage> {
  try {
    const source = typeof image === 'function' ? await image() : image;
    checkArgument(`The image "${name}"`, source, imageKind);
    return await resolve(source, name, options);
  } catch (error) {
    if (error instanceof FormatError) return { failure: error.message };
    throw error;
  }
}

async function resolve(source: ImageSource, name: string, options: FetchOptions = {}): Promise<JobImage> {
  const image = isUrlObject(source) ? source.href : source;
  if (typeof image === 'string')
    return isFile(image) ? { name, path: image } : { name, bytes: await fetchBytes(image, options) };
  if (pixelsKind.accepts(image)) return { name, pixels: image as Image };
  if (isOf(image, 'Blob', 'File')) return { name, bytes: new Uint8Array(await (image as Blob).arrayBuffer()) };
  return { name, bytes: bytesOf(image as Uint8Array | ArrayBuffer) };
}
