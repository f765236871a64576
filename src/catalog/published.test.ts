/** The tables of published weights are complete and consistent with each other, with the variants and preprocessing. */
import { describe, expect, it, test } from 'vitest';
import { imagenetPreprocessing } from '../data/presets.ts';
import { classesOf, isCommercial } from './entry.ts';
import { imagenetClasses } from './imagenet.ts';
import { cifar10Classes, cifar100Classes, labelsOf } from './labels.ts';
import {
  findWeights,
  mainMetric,
  preprocessingWarning,
  publishedWeights,
  suggestWeights,
  weightsOfFile,
} from './published.ts';

/** For each input size, the sizes ⌊size / crop⌋ of the shorter side for the crops in use. */
const resizes: Readonly<Record<number, readonly number[]>> = {
  32: [32],
  224: [256, 235, 232],
  288: [303, 288],
  320: [336, 320],
  384: [384],
};

/** Published parameter counts, with 1,000 classes, or 10 for the networks with 29 and 272 layers. */
const parameters: Readonly<Record<string, number>> = {
  resnext14_16x4d: 7_127_336,
  resnext14_32x2d: 7_029_416,
  resnext14_32x4d: 9_411_880,
  resnext26_32x2d: 9_924_136,
  resnext26_32x4d: 15_389_480,
  resnext50_32x4d: 25_028_904,
  resnext50d_32x4d: 25_048_136,
  resnext101_32x4d: 44_177_704,
  resnext101_32x8d: 88_791_336,
  resnext101_32x16d: 194_026_792,
  resnext101_32x32d: 468_530_472,
  resnext101_32x48d: 828_411_176,
  resnext101_64x4d: 83_455_272,
  resnext152_32x4d: 59_951_400,
  seresnext26d_32x4d: 16_809_512,
  seresnext26t_32x4d: 16_806_976,
  seresnext50_32x4d: 27_559_896,
  seresnext101_32x4d: 48_955_416,
  seresnext101_32x8d: 93_569_048,
  seresnext101_64x4d: 88_232_984,
  seresnext101d_32x8d: 93_588_280,
  seresnextaa101d_32x8d: 93_588_280,
  seresnextaa201d_32x8d: 149_394_904,
  legacy_seresnext26_32x4d: 16_790_280,
  legacy_seresnext50_32x4d: 27_559_896,
  legacy_seresnext101_32x4d: 48_955_416,
  senet154: 115_088_984,
  resnext29_32x4d: 4_775_754,
  resnext29_16x64d: 68_155_210,
  resnext272_1x64d: 44_540_746,
  resnext272_2x32d: 32_928_586,
};

describe('the tables', () => {
  it('include every source of weights', () => {
    const count = (pattern: RegExp) => publishedWeights.filter(({ name }) => pattern.test(name)).length;
    expect(publishedWeights).toHaveLength(75);
    expect(count(/\.tv2?_/)).toBe(5);
    expect(count(/\.fb_/)).toBe(12);
    expect(count(/^legacy/)).toBe(4);
    expect(count(/\.pytorchcv_(?!in1k)/)).toBe(12);
  });

  it('never use a name twice, in any role', () => {
    const names = publishedWeights.flatMap(({ name, aliases, files }) => [name, ...aliases, ...files]);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    expect(names.filter((name) => !/^[\w.-]+$/.test(name))).toEqual([]);
  });

  it('have the published parameter counts', () => {
    const usual = publishedWeights.filter(({ labels }) => labels === 'imagenet-1k' || labels === 'cifar-10');
    const counts = usual.map((entry) => [entry.variant, entry.parameters] as const);
    expect(Object.fromEntries(counts)).toEqual(parameters);
  });

  it('have well-formed hashes that match the file names', () => {
    for (const { name, sources } of publishedWeights) {
      for (const source of sources) {
        if ('repository' in source) {
          expect(source.repository, name).toBe(`timm/${name}`);
          continue;
        }
        expect(source.url.startsWith('https://') && source.url.endsWith(`/${source.file}`), name).toBe(true);
        const hash = source.sha256 ?? source.sha1Inside;
        if (source.file.endsWith('.t7')) expect(hash).toBeUndefined();
        else expect(hash, name).toMatch(source.sha256 ? /^[0-9a-f]{8}$/ : /^[0-9a-f]{40}$/);
        expect(source.file).toContain(hash?.slice(0, 8) ?? '');
      }
    }
  });

  it('resize to ⌊size / crop⌋, and have an accuracy at the default size', () => {
    for (const entry of publishedWeights) {
      for (const view of entry.larger ? [entry.preprocessing, entry.larger] : [entry.preprocessing]) {
        expect(resizes[view.size], entry.name).toContain(view.resize);
      }
      if (entry.larger) expect(entry.larger.size).toBeGreaterThan(entry.preprocessing.size);
      if (entry.metrics.length > 0) expect(mainMetric(entry)?.top1, entry.name).toBeGreaterThan(65);
    }
  });

  it('count one weight per feature and class, and one bias per class', () => {
    const count = (name: string) => findWeights(name).parameters;
    expect(count('resnext29_32x4d_cifar100') - count('resnext29_32x4d_cifar10')).toBe(92_250);
    const [many, few] = ['seresnextaa101d_32x8d.sw_in12k', 'seresnextaa101d_32x8d.sw_in12k_ft_in1k'] as const;
    expect(count(many) - count(few)).toBe(10_821 * 2049);
  });
});

describe('findWeights', () => {
  it('refuses a megabyte of a name without comparing it to every known one', () => {
    expect(() => findWeights('x'.repeat(2 ** 20))).toThrow(/^There are no published weights named "x/);
  });

  test.each([
    ['resnext50_32x4d.tv2_in1k', 'resnext50_32x4d.tv2_in1k'],
    ['ResNeXt50_32X4D_Weights.IMAGENET1K_V2', 'resnext50_32x4d.tv2_in1k'],
    ['ResNeXt101_64X4D_Weights.DEFAULT', 'resnext101_64x4d.tv_in1k'],
    ['timm/resnext50_32x4d.a1_in1k', 'resnext50_32x4d.a1_in1k'],
    ['swsl_resnext50_32x4d', 'resnext50_32x4d.fb_swsl_ig1b_ft_in1k'],
    ['ig_resnext101_32x48d', 'resnext101_32x48d.fb_wsl_ig1b_ft_in1k'],
    ['resnext50_32x4d', 'resnext50_32x4d.tv2_in1k'],
    ['resnext101_32x16d', 'resnext101_32x16d.fb_wsl_ig1b_ft_in1k'],
    ['resnext29_32x4d', 'resnext29_32x4d.pytorchcv_cifar10'],
  ])('%s is %s', (name, found) => {
    expect(findWeights(name).name).toBe(found);
  });

  it('prefers weights that may be used commercially', () => {
    for (const { variant, license } of publishedWeights) {
      if (isCommercial({ license })) expect(isCommercial(findWeights(variant)), variant).toBe(true);
    }
  });

  it('suggests the closest name', () => {
    expect(() => findWeights('resnext50_32x4d.tv3_in1k')).toThrow(
      'There are no published weights named "resnext50_32x4d.tv3_in1k". Did you mean resnext50_32x4d.tv_in1k?',
    );
    expect(() => findWeights('something else')).toThrow('Run "resnext list --weights" to see all names.');
  });

  it('recognizes files by name', () => {
    expect(weightsOfFile('/models/resnext50_32x4d_a1h-0146ab0a.pth')?.name).toBe('resnext50_32x4d.a1h_in1k');
    expect(weightsOfFile('C:\\models\\resnext_50_32x4d.t7')?.name).toBe('resnext50_32x4d.authors_in1k');
    expect(weightsOfFile('model.safetensors')).toBeUndefined();
  });
});

test('there is one distinct label per class', () => {
  for (const entry of publishedWeights) {
    const labels = labelsOf(entry);
    if (entry.labels === 'imagenet-12k') expect(labels).toBeUndefined();
    else expect(new Set(labels).size).toBe(classesOf[entry.labels]);
  }
  expect([imagenetClasses[0], imagenetClasses[281], imagenetClasses[999]]).toEqual(['tench', 'tabby', 'toilet tissue']);
  expect(cifar10Classes).toEqual([...cifar10Classes].sort());
  expect(cifar100Classes).toEqual([...cifar100Classes].sort());
});

describe('preprocessingWarning', () => {
  const entry = findWeights('resnext101_64x4d.tv_in1k');

  it('is undefined if the preprocessing is as evaluated', () => {
    expect(preprocessingWarning(entry, entry.preprocessing)).toBeUndefined();
    const twoViews = findWeights('resnext50_32x4d.a1h_in1k');
    expect(preprocessingWarning(twoViews, twoViews.larger!)).toBeUndefined();
  });

  it('names the differences', () => {
    expect(preprocessingWarning(entry, imagenetPreprocessing)).toBe(
      'resnext101_64x4d.tv_in1k was evaluated with a resize to 232 (bilinear) and a crop of 224, but images are preprocessed with a resize to 256 (bilinear) and a crop of 224. To avoid a loss of accuracy, use the same resize.',
    );
    const other = { ...entry.preprocessing, interpolation: 'bicubic', mean: [0.5, 0.5, 0.5] } as const;
    expect(preprocessingWarning(entry, other)).toMatch(/use the same interpolation and normalization\.$/);
  });
});

it.each([
  ['resnet50', ' There is no ResNet here, only ResNeXt. Did you mean resnext50_32x4d?'],
  ['resnet50.a1_in1k', ' There is no ResNet here, only ResNeXt. Did you mean resnext50_32x4d?'],
  ['wide_resnet101_2', ' There is no ResNet here, only ResNeXt. Did you mean resnext101_32x4d?'],
  ['resnext50', ' Did you mean resnext50_32x4d?'],
  ['vgg16', ' Run "resnext list --weights" to see all names.'],
])('suggests for %s:%s', (name, sentence) => expect(suggestWeights(name)).toBe(sentence));
