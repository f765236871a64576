/**
 * From a JPEG's coefficients to pixels: the inverse cosine transform, chroma brought to full size, colours. The integer
 * arithmetic is libjpeg's, with its roundings: "islow" (Loeffler, Ligtenberg and Moschytz, 1989), triangle-filtered
 * ("fancy") upsampling, and BT.601 in 16-bit fixed point.
 */

import type { Image } from './image.ts';

/** One component. `width` × `height` of it count, the rest of its whole blocks is filling. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly stride: number;
  readonly data: Uint8Array;
}

const work = new Int32Array(64);

/**
 * Writes a block's 8 × 8 pixels to `plane` from `place` on, and zeros to the block.
 *
 * @param single whether only the first coefficient is not zero.
 * @returns false where numbers grow larger than those of pictures, which other arithmetic would not treat the same.
 */
export function transformBlock(block: Int32Array, single: boolean, plane: Plane, place: number): boolean {
  const { data, stride } = plane;
  if (single) {
    const mean = block[0]!;
    block[0] = 0;
    const value = clamp(((mean * 4 + 16) >> 5) + 128);
    for (let y = 0; y < 8; y++) data.fill(value, place + y * stride, place + y * stride + 8);
    return Math.abs(mean) < 4096;
  }
  for (let x = 0; x < 8; x++) transformLine(block, x, 8, work, 11);
  block.fill(0);
  let large = 0;
  for (let i = 0; i < 64; i++) large |= work[i]! + 0x4000;
  for (let y = 0; y < 8; y++) {
    transformLine(work, 8 * y, 1, work, 18);
    for (let x = 0; x < 8; x++) data[place + y * stride + x] = clamp(work[8 * y + x]! + 128);
  }
  return (large & ~0x7fff) === 0;
}

const clamp = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);

/** Eight numbers of `from`, from `at` on by `step`, to the same places of `to`, with `shift` bits rounded off. */
function transformLine(from: Int32Array, at: number, step: number, to: Int32Array, shift: number): void {
  const [i1, i2, i3] = [at + step, at + 2 * step, at + 3 * step];
  const [i4, i5, i6, i7] = [at + 4 * step, at + 5 * step, at + 6 * step, at + 7 * step];
  const half = 1 << (shift - 1);
  const c0 = (from[at]! + from[i4]!) * 8192 + half;
  const c1 = (from[at]! - from[i4]!) * 8192 + half;
  const turn = (from[i2]! + from[i6]!) * 4433;
  const c2 = turn - from[i6]! * 15137;
  const c3 = turn + from[i2]! * 6270;
  const [e0, e1, e2, e3] = [c0 + c3, c1 + c2, c1 - c2, c0 - c3];
  const [f1, f3, f5, f7] = [from[i1]!, from[i3]!, from[i5]!, from[i7]!];
  const all = (f1 + f3 + f5 + f7) * 9633;
  const outer = (f7 + f1) * -7373;
  const inner = (f5 + f3) * -20995;
  const odd = (f7 + f3) * -16069 + all;
  const even = (f5 + f1) * -3196 + all;
  const o3 = f7 * 2446 + outer + odd;
  const o2 = f5 * 16819 + inner + even;
  const o1 = f3 * 25172 + inner + odd;
  const o0 = f1 * 12299 + outer + even;
  to[at] = (e0 + o0) >> shift;
  to[i7] = (e0 - o0) >> shift;
  to[i1] = (e1 + o1) >> shift;
  to[i6] = (e1 - o1) >> shift;
  to[i2] = (e2 + o2) >> shift;
  to[i5] = (e2 - o2) >> shift;
  to[i3] = (e3 + o3) >> shift;
  to[i4] = (e3 - o3) >> shift;
}

/** Twice the width and height. Three quarters of the nearer and a quarter of the farther neighbour, in both directions. */
export function enlarge({ width, height, stride, data }: Plane): Plane {
  const out = new Uint8Array(4 * width * height); // [2 · height, 2 · width]
  const line = new Int32Array(width);
  for (let y = 0; y < 2 * height; y++) {
    const near = (y >> 1) * stride;
    const far = Math.min(height - 1, Math.max(0, (y >> 1) + (y % 2 === 0 ? -1 : 1))) * stride;
    for (let x = 0; x < width; x++) line[x] = 3 * data[near + x]! + data[far + x]!;
    const at = y * 2 * width;
    for (let x = 0; x < width; x++) {
      const here = 3 * line[x]!;
      out[at + 2 * x] = (here + line[Math.max(0, x - 1)]! + 8) >> 4;
      out[at + 2 * x + 1] = (here + line[Math.min(width - 1, x + 1)]! + 7) >> 4; // 7 for 8, so that halves go both ways
    }
  }
  return { width: 2 * width, height: 2 * height, stride: 2 * width, data: out };
}

/** Full planes of Y, Cb and Cr, or of grey, to RGB. */
export function toRgb([light, blue, red]: readonly Plane[], width: number, height: number): Image {
  const data = new Uint8ClampedArray(width * height * 3); // [H, W, 3]
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const l = light!.data[y * light!.stride + x]!;
      const b = blue ? blue.data[y * blue.stride + x]! - 128 : 0;
      const r = red ? red.data[y * red.stride + x]! - 128 : 0;
      data[at] = l + ((91881 * r + 32768) >> 16); // the array clamps to 0 … 255
      data[at + 1] = l + ((-22554 * b - 46802 * r + 32768) >> 16);
      data[at + 2] = l + ((116130 * b + 32768) >> 16);
    }
  }
  return { width, height, channels: 3, data: new Uint8Array(data.buffer) };
}
