/**
 * Decoding, resizing and grayscale against Pillow itself: every byte must be equal. golden/make.py and golden/formats.py
 * wrote the expectations.
 */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { noise } from '../../test/golden-images.ts';
import { decode } from './image-source.ts';
import { grayscale } from './pixels.ts';
import { evaluationTransforms } from './presets.ts';
import { sampleRandom } from './random.ts';
import { type Interpolation, interpolations, resize } from './resize.ts';
import { applyTransforms } from './transforms/apply.ts';
import { countViews, outputDims } from './transforms/plan.ts';

interface ResizeCase extends Partial<Record<Interpolation, string>> {
  seed: number;
  mode: 'RGB' | 'L';
  width: number;
  height: number;
  left: number;
  top: number;
  regionWidth: number;
  regionHeight: number;
  toWidth: number;
  toHeight: number;
}

interface Golden {
  resize: ResizeCase[];
  decode: { name: string; width: number; height: number; file: string; rgb: string }[];
  grayscale: string;
  views: { seed: number; width: number; height: number; resize: number; size: number; flip: string; tenCrop: string }[];
}

const read = (file: string) => JSON.parse(readFileSync(new URL(`./golden/${file}`, import.meta.url), 'utf8'));
const golden = read('pillow.json') as Golden;
const formats = read('formats.json') as Pick<Golden, 'decode'>;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

describe('resize equals Pillow', () => {
  for (const test of golden.resize) {
    const { left, top, regionWidth, regionHeight, toWidth, toHeight } = test;
    for (const interpolation of interpolations.filter((name) => test[name])) {
      it(`${test.mode} ${regionWidth} × ${regionHeight} at (${left}, ${top}) to ${toWidth} × ${toHeight}, ${interpolation}`, () => {
        const source = noise(test.seed, test.width, test.height, test.mode === 'RGB' ? 3 : 1);
        const region = { left, top, width: regionWidth, height: regionHeight };
        const small = resize(source, toWidth, toHeight, interpolation, region);
        expect({ ...small, data: base64(small.data) }).toEqual({
          width: toWidth,
          height: toHeight,
          channels: source.channels,
          data: test[interpolation],
        });
      });
    }
  }

  it('refuses a size that is not a positive integer', () => {
    expect(() => resize(noise(1, 4, 4, 3), 0, 2, 'box')).toThrow(/Resizing 4 × 4 at \(0, 0\) to 0 × 2: sizes must be/);
    expect(() => resize(noise(1, 4, 4, 3), 2.5, 2, 'box')).toThrow(/positive integers/);
  });

  it('refuses a region that leaves the image', () => {
    const region = { left: 2, top: 0, width: 3, height: 4 };
    expect(() => resize(noise(1, 4, 4, 3), 2, 2, 'box', region)).toThrow(/is not within the image of 4 × 4/);
  });
});

describe('decode equals Pillow', () => {
  for (const { name, width, height, file, rgb } of [...golden.decode, ...formats.decode]) {
    it(name, async () => {
      const image = await decode(Buffer.from(file, 'base64'));
      expect({ ...image, data: base64(image.data) }).toEqual({ width, height, channels: 3, data: rgb });
    });
  }
});

it('grayscale equals Pillow', () => {
  const image = grayscale(noise(99, 16, 16, 3));
  expect(base64(image.data)).toBe(golden.grayscale);
  expect(grayscale(image)).toBe(image);
});

describe("several views are torchvision's, pixel for pixel", () => {
  it.each(golden.views)('$width × $height to $resize, $size', ({ seed, width, height, resize, size, ...views }) => {
    const image = noise(seed, width, height, 3);
    const plain = { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] }; // bytes stay bytes
    const preprocessing = { channels: 3, size, resize, interpolation: 'bilinear', ...plain } as const;
    for (const [name, base64, count] of [
      ['flip', views.flip, 2],
      ['ten-crop', views.tenCrop, 10],
    ] as const) {
      const transforms = evaluationTransforms(preprocessing, name);
      expect([countViews(transforms), ...outputDims(transforms)]).toEqual([count, 3 * count, size, size]);
      const pixels = applyTransforms(transforms, image, sampleRandom(0, 0, 0)).map(Math.round); // [V·C, H, W]
      const expected = Buffer.from(base64, 'base64'); // [V, H, W, C]
      const plane = size * size;
      const channelsLast = pixels.map((_, i) => {
        const [view, pixel, channel] = [Math.floor(i / (3 * plane)), Math.floor(i / 3) % plane, i % 3];
        return pixels[(view * 3 + channel) * plane + pixel]!;
      });
      expect(Buffer.from(Uint8Array.from(channelsLast)).equals(expected)).toBe(true);
    }
  });
});
