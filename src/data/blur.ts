/**
 * Gaussian blur as Pillow's ImageFilter does it, to the bit: three box blurs along the rows, then three along the columns,
 * in 8.24 fixed point. A box has a fractional radius: two pixels at its ends count less. Reference: Gwosdek et al.,
 * "Theoretical Foundations of Gaussian Convolution by Extended Box Filtering" (2011).
 */
import type { Image } from '#platform/images';

const passes = 3;
const f32 = Math.fround;

/** @param sigma the standard deviation in pixels, which Pillow calls the radius. */
export function gaussianBlur(image: Image, sigma: number): Image {
  const { width, height, channels } = image;
  const data = new Uint8Array(image.data); // [H, W, C]
  const radius = boxRadius(f32(sigma));
  const line = width * channels;
  for (let y = 0; y < height; y++) {
    for (let c = 0; c < channels; c++) blurLine(data, y * line + c, channels, width, radius);
  }
  for (let i = 0; i < line; i++) blurLine(data, i, line, height, radius);
  return { width, height, channels, data };
}

/** The radius of the box whose repetition has the Gaussian's variance. */
function boxRadius(sigma: number): number {
  const variance = f32(f32(sigma * sigma) / passes);
  const length = f32(Math.sqrt(12 * variance + 1));
  const whole = Math.floor((length - 1) / 2);
  const above = f32((2 * whole + 1) * f32(whole * (whole + 1) - f32(3 * variance)));
  return f32(whole + f32(above / f32(6 * f32(variance - (whole + 1) ** 2))));
}

/** Blurs `count` bytes, `stride` apart, in place. Beyond the ends the first and the last one continue. */
function blurLine(data: Uint8Array, start: number, stride: number, count: number, boxRadius: number): void {
  const radius = Math.trunc(boxRadius);
  const weight = Math.trunc(f32(2 ** 24 / f32(f32(boxRadius * 2) + 1)));
  const endWeight = Math.trunc((2 ** 24 - (radius * 2 + 1) * weight) / 2);
  const line = new Uint8Array(count);
  const at = (i: number) => line[i < 0 ? 0 : i < count ? i : count - 1]!;
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < count; i++) line[i] = data[start + i * stride]!;
    let sum = 0; // of the pixels from -radius - 1 to radius - 1
    for (let i = -radius - 1; i < radius; i++) sum += at(i);
    for (let i = 0; i < count; i++) {
      sum += at(i + radius) - at(i - radius - 1);
      const bulk = sum * weight + (at(i - radius - 1) + at(i + radius + 1)) * endWeight;
      data[start + i * stride] = (bulk + 2 ** 23) / 2 ** 24; // rounded down
    }
  }
}
