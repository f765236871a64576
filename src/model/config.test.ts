import { expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { branchWidth, type ResNeXtOptions, resolveConfig } from './config.ts';

test('what is left out is ResNeXt-50 32x4d', () => {
  expect(resolveConfig({})).toEqual({
    ...{ depths: [3, 4, 6, 3], cardinality: 32, baseWidth: 4, width: 64, stem: 'imagenet', shortcut: 'B', form: 'C' },
    ...{ classes: 1000, inputChannels: 3, inputSize: [224, 224], outputStride: 0, zeroInitLast: false },
  });
  expect(resolveConfig({ stem: 'cifar' }).inputSize).toEqual([32, 32]);
  expect(resolveConfig({ inputSize: 96 }).inputSize).toEqual([96, 96]);
  expect(resolveConfig({ inputSize: [40, 60] }).inputSize).toEqual([40, 60]);
});

test("a branch has the paper's width, rounded down", () => {
  expect([64, 128, 256].map((n) => branchWidth(n, 14))).toEqual([14, 28, 56]);
  expect(branchWidth(4, 40)).toBe(2);
});

const wrong = (options: Record<string, unknown>) => options as ResNeXtOptions;

test.each<[ResNeXtOptions, string]>([
  [{ depths: [] }, 'depths = [] should name the blocks of at least one stage.'],
  [{ depths: [3, 0] }, 'depths = 0 should be a whole number of at least 1.'],
  [{ cardinality: 0 }, 'cardinality = 0 should be a whole number of at least 1.'],
  [{ baseWidth: 2.5 }, 'baseWidth = 2.5 should be a whole number of at least 1.'],
  [{ width: Number.NaN }, 'width = NaN should be a whole number of at least 1.'],
  [{ inputChannels: -3 }, 'inputChannels = -3 should be a whole number of at least 1.'],
  [{ inputSize: 0 }, 'inputSize = 0 should be a whole number of at least 1.'],
  [{ inputSize: [32, 1.5] }, 'inputSize = 1.5 should be a whole number of at least 1.'],
  [{ classes: -1 }, 'classes = -1 should be a whole number of at least 0.'],
  [wrong({ stem: 'mnist' }), 'stem = "mnist" should be one of imagenet, cifar.'],
  [wrong({ shortcut: 'E' }), 'shortcut = "E" should be one of A, B, C, D.'],
  [wrong({ form: 'c' }), 'form = "c" should be one of A, B, C.'],
  [
    { width: 8, baseWidth: 4 },
    'baseWidth = 4 leaves branches of ⌊8·4/64⌋ = 0 channels; with width = 8 it should be at least 8.',
  ],
  [{ outputStride: 12 }, 'outputStride = 12 should be one of 4, 8, 16, 32 for this net.'],
  [{ stem: 'cifar', depths: [1, 1], outputStride: 4 }, 'outputStride = 4 should be one of 1, 2 for this net.'],
])('%j is refused', (options, sentence) => {
  expect(() => resolveConfig(options)).toThrow(new UsageError(sentence));
});
