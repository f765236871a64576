/** Preprocessing changed after the fact: what goes with another size, and what no net can be given. */
import { expect, test } from 'vitest';
import { imagenetPreprocessing, type Preprocessing } from '../data/presets.ts';
import { UsageError } from '../errors.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import type { SavedModel } from './files.ts';
import { withPreprocessing } from './preparation.ts';

const { config, graph, ...model } = resnext({ depths: [1], cardinality: 2, baseWidth: 16, width: 16, classes: 3 });
const saved: SavedModel = {
  description: { variant: 'small', config, classes: [], preprocessing: imagenetPreprocessing, metrics: {} },
  graph,
  weights: initialWeights({ config, graph, ...model }, 1),
};

test('another size keeps the share of the picture, unless a resize is given', () => {
  const { description, graph: resized } = withPreprocessing(saved, { size: 288 });
  expect(description.preprocessing).toMatchObject({ size: 288, resize: 329 });
  expect(description.config.inputSize).toEqual([288, 288]);
  expect(resized.inputs[0]!.dims).toEqual(['N', 3, 288, 288]);
  const given = withPreprocessing(saved, { size: 288, resize: 300 }).description;
  expect(given.preprocessing).toMatchObject({ size: 288, resize: 300 });
});

test.each<[Partial<Preprocessing>, string]>([
  [{ size: 0 }, 'size = 0 should be a whole number of pixels, at least 1.'],
  [{ resize: 1.5 }, 'resize = 1.5 should be a whole number of pixels, at least 1.'],
  [{ channels: 1 }, 'channels = 1 should be 3, which is what the net reads.'],
  [{ mean: [0.5] }, 'mean = [0.5] should be numbers, as many as the net reads channels: 3.'],
  [{ std: [0, 1, 1] }, 'std = [0,1,1] should be numbers above 0, as many as the net reads channels: 3.'],
  [{ interpolation: 'cubic' as 'bicubic' }, 'interpolation = "cubic" should be one of nearest, box, bilinear'],
])('%j is refused', (changes, message) => {
  expect(() => withPreprocessing(saved, changes)).toThrow(UsageError);
  expect(() => withPreprocessing(saved, changes)).toThrow(message);
});
