/**
 * Resampling that is bit-identical to Pillow's `Image.resize`, so that a model sees the pixels that it was trained on.
 *
 * Each output pixel is a weighted mean of the input pixels under a filter of half-width support · max(1, scale), where
 * scale is input size / output size: shrinking widens the filter (antialiasing). Weights are normalized, rounded to 22-bit
 * fixed point, and applied first along rows, then along columns, rounding to 8 bits after each pass.
 * Reference: Pillow's Resample.c, and Geometry.c for `nearest`. The test compares with output of Pillow.
 */

import type { Image } from '#platform/images';
import { checkArgument } from '../arguments.ts';
import { oneOf } from '../options.ts';
import { checkPixels, crop, pixelsKind, type Region } from './pixels.ts';

export const interpolations = ['nearest', 'box', 'bilinear', 'bicubic', 'lanczos'] as const;
export type Interpolation = (typeof interpolations)[number];
const interpolationKind = oneOf(interpolations, { doc: 'filter' });

interface Filter {
  readonly support: number;
  readonly weight: (x: number) => number;
}

/** Output pixel i is the sum of count[i] input pixels from first[i] on, weighted with weights[i · taps], … */
interface Taps {
  readonly taps: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
}

const precision = 22;
const half = 1 << (precision - 1);

const filters: { readonly [I in Exclude<Interpolation, 'nearest'>]: Filter } = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/**
 * Resizes a region of the image, by default all of it, to `width` × `height`. Pixels outside the region have no effect, as
 * if the image were cropped first.
 *
 * @throws RangeError if a size is not a positive integer, or the region is not within the image; FormatError if the image
 *   is incomplete; UsageError for another argument.
 * @example resize(image, 224, 224, 'bilinear')
 */
export function resize(
  image: Image,
  width: number,
  height: number,
  interpolation: Interpolation,
  region?: Region,
): Image {
  checkArgument('image', image, pixelsKind);
  checkArgument('interpolation', interpolation, interpolationKind);
  checkPixels(image);
  return resample(image, width, height, interpolation, region);
}

/** `resize` of pixels that are checked already. */
export function resample(
  image: Image,
  width: number,
  height: number,
  interpolation: Interpolation,
  region: Region = { left: 0, top: 0, width: image.width, height: image.height },
): Image {
  check(image, width, height, region);
  if (interpolation === 'nearest') return nearest(image, width, height, region);
  const filter = filters[interpolation];
  const rows = width === region.width ? crop(image, region).data : resampleRows(image, region, width, filter); // [h, W', C]
  const data = height === region.height ? rows : resampleColumns(rows, region.height, height, filter);
  return { width, height, channels: image.channels, data }; // [H', W', C]
}

function check(image: Image, width: number, height: number, region: Region): void {
  const what = `Resizing ${region.width} × ${region.height} at (${region.left}, ${region.top}) to ${width} × ${height}`;
  const whole = [width, height, region.width, region.height, region.left + 1, region.top + 1];
  if (!whole.every((n) => Number.isInteger(n) && n > 0)) {
    throw new RangeError(`${what}: sizes must be positive integers.`);
  }
  if (region.left + region.width > image.width || region.top + region.height > image.height) {
    throw new RangeError(`${what}: the region is not within the image of ${image.width} × ${image.height}.`);
  }
}

function resampleRows(image: Image, region: Region, width: number, filter: Filter): Uint8Array {
  const taps = tapsFor(region.width, width, filter);
  const out = new Uint8ClampedArray(region.height * width * image.channels); // [h, W', C]
  const resampleRow = image.channels === 3 ? resampleRgbRow : resampleGrayscaleRow;
  for (let y = 0; y < region.height; y++) {
    const start = ((region.top + y) * image.width + region.left) * image.channels;
    resampleRow(image.data, start, taps, out, y * width * image.channels);
  }
  return new Uint8Array(out.buffer);
}

function resampleGrayscaleRow(data: Uint8Array, start: number, taps: Taps, out: Uint8ClampedArray, at: number): void {
  const { first, count, weights } = taps;
  for (let x = 0; x < first.length; x++) {
    let p = start + first[x]!;
    let sum = half;
    const k0 = x * taps.taps;
    for (let k = k0; k < k0 + count[x]!; k++) sum = (sum + Math.imul(data[p++]!, weights[k]!)) | 0;
    out[at + x] = sum >> precision;
  }
}

/** As for grayscale, with three sums. An inner loop over channels would take twice as long. */
function resampleRgbRow(data: Uint8Array, start: number, taps: Taps, out: Uint8ClampedArray, at: number): void {
  const { first, count, weights } = taps;
  for (let x = 0; x < first.length; x++) {
    let p = start + first[x]! * 3;
    let red = half;
    let green = half;
    let blue = half;
    const k0 = x * taps.taps;
    for (let k = k0; k < k0 + count[x]!; k++) {
      const weight = weights[k]!;
      red = (red + Math.imul(data[p]!, weight)) | 0;
      green = (green + Math.imul(data[p + 1]!, weight)) | 0;
      blue = (blue + Math.imul(data[p + 2]!, weight)) | 0;
      p += 3;
    }
    out[at + x * 3] = red >> precision; // the array clamps to 0 … 255
    out[at + x * 3 + 1] = green >> precision;
    out[at + x * 3 + 2] = blue >> precision;
  }
}

function resampleColumns(rows: Uint8Array, from: number, to: number, filter: Filter): Uint8Array {
  const { taps, first, count, weights } = tapsFor(from, to, filter);
  const length = rows.length / from; // W' · C
  const out = new Uint8ClampedArray(to * length); // [H', W', C]
  for (let y = 0; y < to; y++) {
    const k0 = y * taps;
    const k1 = k0 + count[y]!;
    const start = first[y]! * length;
    for (let i = 0; i < length; i++) {
      let p = start + i;
      let sum = half;
      for (let k = k0; k < k1; k++) {
        sum = (sum + Math.imul(rows[p]!, weights[k]!)) | 0;
        p += length;
      }
      out[y * length + i] = sum >> precision;
    }
  }
  return new Uint8Array(out.buffer);
}

/** The weights for all output pixels along one axis, from `from` to `to` pixels. */
function tapsFor(from: number, to: number, { support, weight }: Filter): Taps {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const reach = support * stretch;
  const taps = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * taps);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(center - reach + 0.5));
    const end = Math.min(from, Math.trunc(center + reach + 0.5));
    const exact = Array.from({ length: end - begin }, (_, t) => weight((t + begin - center + 0.5) * (1 / stretch)));
    const sum = exact.reduce((total, w) => total + w, 0) || 1;
    const rounded = exact.map((w) => fixedPoint(w / sum));
    first[i] = begin;
    count[i] = end - begin;
    weights.set(rounded, i * taps);
  }
  return { taps, first, count, weights };
}

const fixedPoint = (weight: number): number => Math.trunc(weight * (1 << precision) + (weight < 0 ? -0.5 : 0.5));

/** Picks the pixel under each output pixel's center. Positions are accumulated as in Pillow, rounding included. */
function nearest(image: Image, width: number, height: number, region: Region): Image {
  const { channels } = image;
  const xs = positions(region.width, width).map((x) => x + region.left);
  const ys = positions(region.height, height).map((y) => y + region.top);
  const data = new Uint8Array(width * height * channels); // [H', W', C]
  let at = 0;
  for (const y of ys) {
    for (const x of xs) {
      const from = (y * image.width + x) * channels;
      for (let c = 0; c < channels; c++) data[at++] = image.data[from + c]!;
    }
  }
  return { width, height, channels, data };
}

function positions(from: number, to: number): number[] {
  const scale = from / to;
  let position = scale * 0.5;
  return Array.from({ length: to }, () => {
    const pixel = Math.min(from - 1, Math.trunc(position));
    position += scale;
    return pixel;
  });
}

/** Keys' cubic with a = -1/2. */
function cubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}
