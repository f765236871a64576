/** The images of golden/augment.py and make.py, made again. */
import type { Image } from '../src/platform/contract.ts';

/** Noise of a linear congruential generator: rows alternate between bytes and black or white. */
export function noise(seed: number, width: number, height: number, channels: 1 | 3): Image {
  let state = seed;
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(i / (width * channels)) % 2 ? state >>> 24 : 255 * (state >>> 31);
  });
  return { width, height, channels, data };
}

/** A few levels between 60 and 200, with slopes across and down. */
function slopes(width: number, height: number): Image {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 60 + ((x * (3 + c) + y * (5 - c)) % (80 + 30 * c));
  });
  return { width, height, channels: 3, data };
}

const flat: Image = {
  width: 9,
  height: 5,
  channels: 3,
  data: Uint8Array.from({ length: 135 }, (_, i) => [10, 200, 77][i % 3]!),
};

export const images: Readonly<Record<string, Image>> = {
  noise: noise(5, 24, 17, 3),
  slopes: slopes(61, 47),
  square: slopes(20, 20),
  gray: noise(6, 24, 17, 1),
  flat,
  tiny: noise(7, 2, 1, 3),
  odd: noise(8, 23, 31, 3),
};
