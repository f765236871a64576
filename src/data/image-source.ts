/** All that an image may be given as, and how each becomes pixels. */
import { fetchBytes, filePath, isUrl, shortName } from './fetch.ts';
import { decode, type Image } from './image.ts';

/** A path, a URL (http, https, file, data), the bytes of an image file, a Blob of them, or decoded pixels. */
export type ImageSource = string | Uint8Array | Blob | Image;

/**
 * Decodes an image, wherever it is.
 *
 * @param name what messages call it; its path or address unless given.
 * @throws FormatError naming the image when it cannot be fetched, read or decoded.
 * @example const image = await readImage('https://example.org/rose.jpg');
 */
export async function readImage(image: ImageSource, name?: string): Promise<Image> {
  if (typeof image === 'string') {
    const label = name ?? shortName(image);
    const path = filePath(image);
    return decode(isUrl(path) ? await fetchBytes(path) : path, label);
  }
  if (image instanceof Uint8Array) return decode(image, name);
  if (image instanceof Blob) return decode(new Uint8Array(await image.arrayBuffer()), name);
  return image;
}
