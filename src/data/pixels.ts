/** Operations on whole pixels: crop, mirror, flip, grayscale. They do not change their input. */

import type { Image } from '#platform/images';
import { hasAll, isOf, kind } from '../arguments.ts';
import { FormatError } from '../errors.ts';
import { shown } from '../options.ts';

/** A rectangle of whole pixels. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Pixels, as an argument. */
export const pixelsKind = kind('pixels { width, height, channels, data }', (value) =>
  hasAll(value, 'width', 'height', 'channels', 'data'),
);

/** @throws FormatError unless pixels from a program are complete. The four channels of a canvas are a common mistake. */
export function checkPixels(image: Image, name = 'image'): void {
  const { width, height, channels, data } = image;
  if (!isOf(data, 'Uint8Array', 'Uint8ClampedArray')) {
    throw new FormatError(`The data of image "${name}" is ${shown(data)}, but expected a Uint8Array.`);
  }
  const isSized = [width, height].every((side) => Number.isSafeInteger(side) && side > 0);
  if (isSized && (channels === 1 || channels === 3) && data.length === width * height * channels) return;
  throw new FormatError(
    `Image "${name}" has ${data.length} bytes for ${shown(width)} × ${shown(height)} pixels of ${shown(channels)} channels, but expected width × height × channels bytes, of 1 (grayscale) or 3 (RGB) channels.`,
  );
}

/** Cuts out a region, which may extend beyond the image: pixels outside it are 0. */
export function crop(image: Image, { left, top, width, height }: Region): Image {
  const { channels } = image;
  if (left === 0 && top === 0 && width === image.width && height === image.height) return image;
  const data = new Uint8Array(width * height * channels); // [h, w, C]
  const x0 = Math.max(0, left);
  const x1 = Math.min(image.width, left + width);
  if (x1 <= x0) return { width, height, channels, data };
  for (let y = Math.max(0, top); y < Math.min(image.height, top + height); y++) {
    const row = y * image.width;
    const line = image.data.subarray((row + x0) * channels, (row + x1) * channels);
    data.set(line, ((y - top) * width + x0 - left) * channels);
  }
  return { width, height, channels, data };
}

/** Mirrors left and right. */
export function mirror(image: Image): Image {
  const { width, height, channels } = image;
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < height; y++) {
    let to = y * width * channels;
    for (let x = width - 1; x >= 0; x--) {
      const from = (y * width + x) * channels;
      for (let c = 0; c < channels; c++) data[to++] = image.data[from + c]!;
    }
  }
  return { width, height, channels, data };
}

/** Mirrors top and bottom. */
export function flipRows(image: Image): Image {
  const { width, height, channels } = image;
  const line = width * channels;
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < height; y++) data.set(image.data.subarray(y * line, (y + 1) * line), (height - 1 - y) * line);
  return { width, height, channels, data };
}

/** Grayscale to RGB, with three equal channels. `grayscale` reverses it exactly. */
export function toRgb(image: Image): Image {
  if (image.channels === 3) return image;
  const { width, height } = image;
  const data = new Uint8Array(3 * width * height); // [H, W, 3]
  for (const [i, value] of image.data.entries()) data.fill(value, 3 * i, 3 * i + 3);
  return { width, height, channels: 3, data };
}

/** RGB to grayscale by ITU-R 601's luma in 16-bit fixed point: Pillow's `convert('L')`, bit for bit. */
export function grayscale(image: Image): Image {
  if (image.channels === 1) return image;
  const { width, height, data: rgb } = image;
  const data = new Uint8Array(width * height);
  for (let i = 0, p = 0; i < data.length; i++, p += 3) {
    data[i] = (rgb[p]! * 19595 + rgb[p + 1]! * 38470 + rgb[p + 2]! * 7471 + 0x8000) >> 16;
  }
  return { width, height, channels: 1, data };
}
