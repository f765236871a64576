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
  [{ depths: [] }, 'depths is [], but expected a non-empty list of whole numbers of at least 1.'],
  [{ depths: [3, 0] }, 'depths is [3,0], but expected a non-empty list of whole numbers of at least 1.'],
  [{ cardinality: 0 }, 'cardinality is 0, but expected a whole number of at least 1.'],
  [{ baseWidth: 2.5 }, 'baseWidth is 2.5, but expected a whole number of at least 1.'],
  [{ width: Number.NaN }, 'width is NaN, but expected a whole number of at least 1.'],
  [{ inputChannels: -3 }, 'inputChannels is -3, but expected a whole number of at least 1.'],
  [{ inputSize: 0 }, 'inputSize is [0,0], but expected a pair of whole numbers of at least 1.'],
  [{ inputSize: [32, 1.5] }, 'inputSize is [32,1.5], but expected a pair of whole numbers of at least 1.'],
  [{ classes: -1 }, 'classes is -1, but expected a whole number of at least 0.'],
  [wrong({ stem: 'mnist' }), 'stem is "mnist", but expected imagenet, deep, tiered or cifar.'],
  [wrong({ shortcut: 'E' }), 'shortcut is "E", but expected A, B, C or D.'],
  [wrong({ form: 'c' }), 'form is "c", but expected A, B or C.'],
  [
    { width: 8, baseWidth: 4 },
    'baseWidth is 4, but width 8 needs at least 8: branches would have ⌊8·4/64⌋ = 0 channels.',
  ],
  [{ stemWidth: 0 }, 'stemWidth is 0, but expected a whole number of at least 1.'],
  [wrong({ stemPool: 'min' }), 'stemPool is "min", but expected max, max-ceil or average.'],
  [wrong({ attention: 'cbam' }), 'attention is "cbam", but expected none, se or eca.'],
  [wrong({ shortcutKernel: 2 }), 'shortcutKernel is 2, but expected 1 or 3.'],
  [
    { halvedSplit: true, baseWidth: 5 },
    'halvedSplit is true, but needs an even number of channels per branch: baseWidth 5 and width 64 make 5.',
  ],
  [
    { stem: 'tiered', stemWidth: 3 },
    'stemWidth is 3, but a tiered stem needs at least 4: its first convolution would have 3·⌊3/4⌋ = 0 features.',
  ],
  [{ stem: 'cifar', stemPool: 'average' }, 'stemPool is "average", but the stem "cifar" has no pool. Remove it.'],
  [
    { stemPool: 'max-ceil', inputSize: [2, 9] },
    'inputSize is [2, 9], but stemPool "max-ceil" needs at least 3 in both directions.',
  ],
  [
    { shortcutKernel: 3, shortcut: 'D' },
    'shortcutKernel is 3, but shortcut D has no strided projection. Use shortcut B or C.',
  ],
  [
    { stem: 'deep', width: 8, baseWidth: 8, shortcut: 'A' },
    'stemWidth is 32, so the stem has 64 features, but shortcut A can only pad, and the first stage has 32. Use another shortcut, or a smaller stemWidth.',
  ],
  [{ outputStride: 12 }, 'outputStride is 12, but expected 0, 4, 8, 16 or 32 for this network.'],
  [{ stem: 'cifar', depths: [1, 1], outputStride: 4 }, 'outputStride is 4, but expected 0, 1 or 2 for this network.'],
])('%j is refused', (options, sentence) => {
  expect(() => resolveConfig(options)).toThrow(UsageError);
  expect(() => resolveConfig(options)).toThrow(sentence);
});
