/**
 * A decoded image, and decoding by sharp (libvips), which is an optional peer: it is loaded at the first image. Small
 * JPEG files take a shorter way to the same pixels.
 *
 * Pixels equal Pillow's `Image.open(file).convert('RGB')` for JPEG, PNG, GIF, WebP and TIFF of 8 bits, CMYK apart: alpha
 * is dropped rather than blended, an embedded color profile is ignored, an EXIF orientation is not applied, and the
 * first frame of an animation is taken.
 */

import { readFile } from 'node:fs/promises';
import { FormatError } from '../errors.ts';
import { decodeSmallJpeg } from './jpeg.ts';
import { loadSharp } from './sharp.ts';

/** Rows from the top, pixels from the left, channels innermost: `data[(y * width + x) * channels + c]`. */
export interface Image {
  readonly width: number;
  readonly height: number;
  /** 3 is RGB, as `decode` returns; 1 is grayscale. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array; // [H, W, C]
}

/**
 * Decodes an image to RGB.
 *
 * @param input a path, or the bytes of an image file.
 * @param name what error messages call the image; the path by default.
 * @throws FormatError when it cannot be read, is cut short or is no image; UsageError when sharp is not installed.
 * @example const { width, height, data } = await decode('rose.jpg');
 */
export async function decode(input: string | Uint8Array, name?: string): Promise<Image> {
  const label = name ?? (typeof input === 'string' ? input : 'image');
  const sharp = await loadSharp();
  const bytes = typeof input === 'string' ? await read(input, label) : input;
  const small = await decodeSmallJpeg(bytes);
  if (small) return small;
  try {
    // "error" and not "truncated": the latter lets a TIFF through that was cut short.
    const { data, info } = await sharp(bytes, { failOn: 'error', ignoreIcc: true })
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return {
      width: info.width,
      height: info.height,
      channels: 3,
      data: new Uint8Array(data.buffer, data.byteOffset, data.length),
    };
  } catch (cause) {
    throw unreadable(label, reasonOf(cause), cause);
  }
}

/** The error for an image that cannot be read, the same sentence wherever it is found. */
export const unreadable = (name: string, reason: string, cause?: unknown): FormatError =>
  new FormatError(`Image "${name}" cannot be read: ${reason}. Replace or remove it.`, { cause });

/** The error for a path that is no file. */
export function absent(path: string, cause: unknown): FormatError {
  const { code } = cause as { code?: string };
  if (code === 'ENOENT') return new FormatError(`There is no image "${path}".`, { cause });
  if (code === 'EISDIR') return new FormatError(`"${path}" is a folder; name the images in it.`, { cause });
  return unreadable(path, firstLine(cause), cause);
}

async function read(path: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw absent(name, cause);
  }
}

/** What libvips complains of, in one line: its "bad seek" lines only say that the bytes ended early. */
function reasonOf(cause: unknown): string {
  const lines = messageOf(cause).split('\n');
  const line = lines.find((text) => text !== '' && !text.includes('bad seek to')) ?? 'the file ends too early';
  return line.replace(/^Input (buffer|bit array)/i, 'the file').replace(/\.$/, '');
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

const firstLine = (cause: unknown): string => messageOf(cause).split('\n')[0]!.trim();
