/** Operations on pixels against Pillow and torchvision: every byte must be equal. golden/augment.py wrote the expectations. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Image } from '#platform/images';
import { images } from '../../test/golden-images.ts';
import type { AffineInterpolation } from './affine.ts';
import { hue } from './enhance.ts';
import { flipRows } from './pixels.ts';
import { applyOperation, type OperationName, operations } from './transforms/operations.ts';

interface Golden {
  operations: [image: string, OperationName, value: number, AffineInterpolation, fill: number[], sha: string][];
  hue: [image: string, turn: number, sha: string][];
  blur: [image: string, sigma: number, sha: string][];
  flip: [image: string, sha: string][];
}

const golden = JSON.parse(readFileSync(new URL('./golden/augment.json', import.meta.url), 'utf8')) as Golden;

const sha = ({ data }: Image): string => createHash('sha256').update(data).digest('hex').slice(0, 32);

const blurs = golden.blur.map(([key, sigma, sha]) => [key, 'GaussianBlur', sigma, 'nearest', [], sha] as const);

describe.each(Object.keys(operations) as OperationName[])('%s', (name) => {
  const cases = [...golden.operations, ...blurs].filter((each) => each[1] === name);

  it('equals Pillow and torchvision', () => {
    expect(cases.length).toBeGreaterThan(4);
    const wrong = cases.filter(([key, , value, interpolation, fill, expected]) => {
      const image = images[key]!;
      const before = image.data.slice();
      const result = applyOperation(image, { name, value }, { interpolation, fill });
      expect(Buffer.compare(image.data, before)).toBe(0);
      expect([result.width, result.height, result.channels]).toEqual([image.width, image.height, image.channels]);
      return sha(result) !== expected;
    });
    expect(wrong).toEqual([]);
  });
});

it('hue equals torchvision', () => {
  expect(golden.hue.filter(([key, turn, expected]) => sha(hue(images[key]!, turn)) !== expected)).toEqual([]);
});

it('mirroring top and bottom equals Pillow', () => {
  expect(golden.flip.filter(([key, expected]) => sha(flipRows(images[key]!)) !== expected)).toEqual([]);
});
