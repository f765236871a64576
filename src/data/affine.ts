/**
 * Affine maps of an image onto its own frame, as Pillow's `transform` and `rotate` do them, to the bit. A matrix
 * [a, b, c, d, e, f] takes the center (x, y) of a pixel of the result to the point (a x + b y + c, d x + e y + f) of the
 * image, so shifts and shears look reversed. Points outside the image get the fill.
 */
import type { Image } from '#platform/images';

export type Matrix = readonly [number, number, number, number, number, number];

export const affineInterpolations = ['nearest', 'bilinear', 'bicubic'] as const;
export type AffineInterpolation = (typeof affineInterpolations)[number];

/** How an affine map fills the frame. */
export interface Sampling {
  readonly interpolation: AffineInterpolation;
  /** A byte per channel. */
  readonly fill: readonly number[];
}

export function affine(image: Image, matrix: Matrix, { interpolation, fill }: Sampling): Image {
  const { width, height, channels } = image;
  const data = new Uint8Array(image.data.length); // [H, W, C]
  if (fill.some((byte) => byte !== 0)) for (let i = 0; i < data.length; i++) data[i] = fill[i % channels]!;
  if (interpolation === 'nearest') takeNearest(image, matrix, data);
  else interpolate(image, matrix, interpolation === 'bilinear' ? bilinear : bicubic, data);
  return { width, height, channels, data };
}

/** Turns counterclockwise about the center. A multiple of a right angle that keeps the frame moves whole pixels. */
export function rotate(image: Image, degrees: number, sampling: Sampling): Image {
  const { width, height } = image;
  const turn = degrees % 360;
  const angle = turn < 0 ? turn + 360 : turn; // Python's %
  const exact = angle % 180 === 0 || (angle % 90 === 0 && width === height);
  const radians = -(angle * (Math.PI / 180));
  const [cos, sin] = [decimals(Math.cos(radians)), decimals(Math.sin(radians))];
  const [x, y] = [width / 2, height / 2];
  const matrix: Matrix = [cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y];
  return affine(image, matrix, exact ? { ...sampling, interpolation: 'nearest' } : sampling);
}

/** Python's round(x, 15). */
const decimals = (x: number): number => Number(x.toFixed(15));

/** In 16.16 fixed point; without shear or rotation, in floating point. */
function takeNearest(image: Image, [a, b, c, d, e, f]: Matrix, data: Uint8Array): void {
  const { width, height, channels, data: source } = image;
  const isScale = b === 0 && d === 0;
  const unit = isScale ? 1 : 65536;
  const fixed = (v: number) => (isScale ? v : Math.floor(v * 65536 + 0.5));
  const [xx, xy, yx, yy] = [fixed(a), fixed(b), fixed(d), fixed(e)];
  let [rowX, rowY] = [fixed(c + a * 0.5 + b * 0.5), fixed(f + d * 0.5 + e * 0.5)];
  let to = 0;
  for (let y = 0; y < height; y++, rowX += xy, rowY += yy) {
    let atX = rowX;
    let atY = rowY;
    for (let x = 0; x < width; x++, atX += xx, atY += yx, to += channels) {
      const fromX = Math.floor(atX / unit);
      const fromY = Math.floor(atY / unit);
      if (fromX < 0 || fromX >= width || fromY < 0 || fromY >= height) continue;
      const from = (fromY * width + fromX) * channels;
      for (let k = 0; k < channels; k++) data[to + k] = source[from + k]!;
    }
  }
}

/** Writes the C values at a point, counted from the center of the first pixel, from index `to` on. */
type Interpolate = (image: Image, x: number, y: number, data: Uint8Array, to: number) => void;

function interpolate(image: Image, matrix: Matrix, at: Interpolate, data: Uint8Array): void {
  const { width, height, channels } = image;
  const [a, b, c, d, e, f] = matrix;
  let to = 0;
  for (let row = 0.5; row < height; row++) {
    for (let column = 0.5; column < width; column++, to += channels) {
      const x = a * column + b * row + c;
      const y = d * column + e * row + f;
      if (x >= 0 && x < width && y >= 0 && y < height) at(image, x - 0.5, y - 0.5, data, to);
    }
  }
}

const clip = (i: number, side: number): number => (i < 0 ? 0 : i < side ? i : side - 1);

const bilinear: Interpolate = ({ width, height, channels, data: source }, x, y, data, to) => {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [dx, dy] = [x - left, y - top];
  const [x0, x1] = [clip(left, width) * channels, clip(left + 1, width) * channels];
  const [y0, y1] = [clip(top, height) * width * channels, clip(top + 1, height) * width * channels];
  for (let k = 0; k < channels; k++) {
    const above = source[y0 + x0 + k]! + (source[y0 + x1 + k]! - source[y0 + x0 + k]!) * dx;
    const below = source[y1 + x0 + k]! + (source[y1 + x1 + k]! - source[y1 + x0 + k]!) * dx;
    data[to + k] = above + (below - above) * dy; // rounded down
  }
};

const bicubic: Interpolate = ({ width, height, channels, data: source }, x, y, data, to) => {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [dx, dy] = [x - left, y - top];
  const column = (i: number) => clip(left - 1 + i, width) * channels;
  const [x0, x1, x2, x3] = [column(0), column(1), column(2), column(3)];
  const row = (i: number, k: number) => {
    const start = clip(top - 1 + i, height) * width * channels + k;
    return cubic(source[start + x0]!, source[start + x1]!, source[start + x2]!, source[start + x3]!, dx);
  };
  for (let k = 0; k < channels; k++) {
    const value = cubic(row(0, k), row(1, k), row(2, k), row(3, k), dy);
    data[to + k] = Math.min(255, Math.max(0, value)); // rounded down
  }
};

/** Keys' cubic with a = -1 through four values, between the middle two; the order of operations decides the last bit. */
const cubic = (v1: number, v2: number, v3: number, v4: number, d: number): number =>
  v2 + d * (-v1 + v3 + d * (2 * (v1 - v2) + v3 - v4 + d * (-v1 + v2 - v3 + v4)));
