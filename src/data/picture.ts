/** All that a picture may be given as, and how each becomes pixels. */
import { fetchBytes, filePath, isUrl, shortName } from './fetch.ts';
import { decode, type Image } from './image.ts';

/** A path, a URL (http, https, file, data), the bytes of an image file, a Blob of them, or decoded pixels. */
export type Picture = string | Uint8Array | Blob | Image;

/**
 * Decodes a picture, wherever it is.
 *
 * @param name what messages call it; its path or address unless given.
 * @throws FormatError naming the picture when it cannot be fetched, read or decoded.
 * @example const image = await readPicture('https://example.org/rose.jpg');
 */
export async function readPicture(picture: Picture, name?: string): Promise<Image> {
  if (typeof picture === 'string') {
    const label = name ?? shortName(picture);
    const path = filePath(picture);
    return decode(isUrl(path) ? await fetchBytes(path) : path, label);
  }
  if (picture instanceof Uint8Array) return decode(picture, name);
  if (picture instanceof Blob) return decode(new Uint8Array(await picture.arrayBuffer()), name);
  return picture;
}
