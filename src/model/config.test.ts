import { expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { branchWidth, type ResNeXtOptions, resolveConfig } from './config.ts';

test('what is left out is ResNeXt-50 32x4d', () => {
  expect(resolveConfig({})).toEqual({
    ...{ depths: [3, 4, 6, 3], cardinality: 32, baseWidth: 4, width: 64, stem: 'imagenet', shortcut: 'B', form: 'C' },
    ...{ stemWidth: 32, stemPool: 'max', shortcutKernel: 1, attention: 'none', antialias: false, halvedSplit: false },
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
  [wrong({ stem: 'mnist' }), 'stem = "mnist" should be one of imagenet, deep, tiered, cifar.'],
  [wrong({ shortcut: 'E' }), 'shortcut = "E" should be one of A, B, C, D.'],
  [wrong({ form: 'c' }), 'form = "c" should be one of A, B, C.'],
  [
    { width: 8, baseWidth: 4 },
    'baseWidth = 4 leaves branches of ⌊8·4/64⌋ = 0 channels; with width = 8 it should be at least 8.',
  ],
  [{ stemWidth: 0 }, 'stemWidth = 0 should be a whole number of at least 1.'],
  [wrong({ stemPool: 'min' }), 'stemPool = "min" should be one of max, max-ceil, average.'],
  [wrong({ attention: 'cbam' }), 'attention = "cbam" should be one of none, se, eca.'],
  [wrong({ shortcutKernel: 2 }), 'shortcutKernel = 2 should be one of 1, 3.'],
  [
    { halvedSplit: true, baseWidth: 5 },
    'halvedSplit needs branches of an even number of channels; baseWidth = 5 with width = 64 makes some of 5.',
  ],
  [
    { stem: 'tiered', stemWidth: 3 },
    'stemWidth = 3 leaves the first convolution of a tiered stem 3·⌊3/4⌋ = 0 features; it should be at least 4.',
  ],
  [
    { stem: 'cifar', stemPool: 'average' },
    'stemPool = "average" needs a stem with a pool; with stem = "cifar" leave it out.',
  ],
  [
    { stemPool: 'max-ceil', inputSize: [2, 9] },
    'inputSize = [2, 9] is too small for stemPool = "max-ceil"; it should be at least 3 both ways.',
  ],
  [
    { shortcutKernel: 3, shortcut: 'D' },
    'shortcutKernel = 3 needs shortcut = B or C, not D, which has no strided projection.',
  ],
  [
    { stem: 'deep', width: 8, baseWidth: 8, shortcut: 'A' },
    'stemWidth = 32 makes 64 features, more than the 32 of the first stage, which shortcut A can only pad to.',
  ],
  [{ outputStride: 12 }, 'outputStride = 12 should be one of 4, 8, 16, 32 for this net.'],
  [{ stem: 'cifar', depths: [1, 1], outputStride: 4 }, 'outputStride = 4 should be one of 1, 2 for this net.'],
])('%j is refused', (options, sentence) => {
  expect(() => resolveConfig(options)).toThrow(new UsageError(sentence));
});
