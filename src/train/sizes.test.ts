/** The sizes of training images by epoch, and which are refused. Training on them is in test/training.test.ts. */
import { expect, test } from 'vitest';
import { resolveConfig } from '../model/config.ts';
import { variant } from '../model/variants.ts';
import { resolveTrainOptions } from './check-options.ts';
import type { GivenOptions } from './options.ts';
import { checkTrainSizes, sizeAt, sizeParts, stepsLeft } from './sizes.ts';

test.each([
  { trainSize: [], epochs: 3, sizes: [224, 224, 224] },
  { trainSize: [176], epochs: 3, sizes: [176, 176, 176] },
  { trainSize: [96, 128, 160], epochs: 7, sizes: [96, 96, 96, 128, 128, 160, 160] },
  { trainSize: [96, 128], epochs: 2, sizes: [96, 128] },
])('$trainSize over $epochs epochs', ({ trainSize, epochs, sizes }) => {
  const options = { trainSize, size: 224, epochs };
  expect(sizes.map((_, epoch) => sizeAt(options, epoch))).toEqual(sizes);
  expect(sizeParts(options).flatMap(({ size, first, last }) => Array(last - first + 1).fill(size))).toEqual(sizes);
});

test('the steps left count by pixels', () => {
  const options = { trainSize: [100, 200], size: 224, epochs: 4 };
  expect(stepsLeft(options, 10, 1, 4)).toBe(6 + 2 * 10 * 4);
  expect(stepsLeft(options, 10, 3, 4)).toBe(6);
  expect(stepsLeft({ ...options, trainSize: [] }, 10, 1, 4)).toBe(26);
});

test.each<[string, Partial<GivenOptions>, string]>([
  ['too few values', { batch: 1, trainSize: [64, 32] }, 'trainSize has 32, at which this network cannot be trained'],
  ['too few epochs', { trainSize: [64, 96, 128], epochs: 2 }, 'trainSize has 3 sizes, but epochs is 2. '],
  ['no size', { trainSize: [0] }, 'trainSize'],
])('%s', (_, given, message) => {
  const small = { data: 'x', out: 'y', variant: 'resnext50_32x4d', ...given };
  const check = () => checkTrainSizes(resolveTrainOptions(small), resolveConfig(variant('resnext50_32x4d')));
  expect(check).toThrow(message);
});
