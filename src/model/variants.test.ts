/** The named variants against what others count: the paper, torchvision, the authors' formula, timm and pytorchcv. */
import { expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { cost } from '../graph/cost.ts';
import { forms, resolveConfig } from './config.ts';
import { resnext } from './resnext.ts';
import { variantName } from './variant-name.ts';
import { variant, variants } from './variants.ts';

/** Parameters, and 10⁹ multiply-adds for one image of 224x224 or, for CIFAR, 32x32. */
const exact: Readonly<Record<string, readonly [parameters: number, macs: number]>> = {
  resnext50_32x4d: [25_028_904, 4.23],
  resnext50_2x40d: [25_425_000, 4.125],
  resnext50_4x24d: [25_292_968, 4.16],
  resnext50_8x14d: [25_603_016, 4.267],
  resnext50_64x4d: [45_192_488, 7.981],
  resnext101_32x4d: [44_177_704, 7.97],
  resnext101_32x8d: [88_791_336, 16.414],
  resnext101_64x4d: [83_455_272, 15.46],
  resnext101_32x16d: [194_026_792, 36.163],
  resnext101_32x32d: [468_530_472, 87.107],
  resnext101_32x48d: [828_411_176, 153.31],
  resnext101_2x64d: [84_198_184, 15.123],
  resnext101_1x100d: [85_611_336, 15.273],
  resnext152_32x4d: [59_951_400, 11.71],
  resnext152_64x4d: [114_971_944, 22.939],
  resnext50d_32x4d: [25_048_136, 4.47],
  resnext29_1x64d: [4_914_250, 0.748],
  resnext29_2x64d: [9_130_314, 1.411],
  resnext29_4x64d: [17_562_442, 2.736],
  resnext29_8x64d: [34_426_698, 5.387],
  resnext29_16x64d: [68_155_210, 10.689],
  resnext29_32x4d: [4_775_754, 0.774],
};

/** Parameters where known to the last, else in millions, and what timm counts of 10⁹ multiply-adds, within 1 %. */
const rounded: Readonly<Record<string, readonly [parameters: number | string, macs?: number]>> = {
  seresnext26d_32x4d: ['16.81', 2.73],
  seresnext26t_32x4d: ['16.81', 2.7],
  seresnext50_32x4d: [27_559_896, 4.26],
  seresnext101_32x4d: [48_955_416, 8.02],
  seresnext101_32x8d: [93_569_048, 16.48],
  seresnext101_64x4d: [88_232_984, 15.53],
  seresnext101d_32x8d: ['93.59', 16.72],
  seresnextaa101d_32x8d: ['93.59', 17.25],
  seresnextaa201d_32x8d: ['149.39'],
  ecaresnext26t_32x4d: ['15.41', 2.7],
  ecaresnext50t_32x4d: ['15.41', 2.7],
  legacy_seresnext26_32x4d: ['16.79', 2.49],
  legacy_seresnext50_32x4d: ['27.56', 4.26],
  legacy_seresnext101_32x4d: ['48.96', 8.02],
  senet154: ['115.09', 20.77],
  // pytorchcv, whose multiply-adds count more than the paper's
  resnext14_16x4d: ['7.13'],
  resnext14_32x2d: ['7.03'],
  resnext14_32x4d: ['9.41'],
  resnext26_16x4d: ['10.12'],
  resnext26_32x2d: ['9.92'],
  resnext26_32x4d: ['15.39'],
  resnext38_32x4d: ['21.37'],
  resnext20_2x64d: [6_198_602],
  resnext20_4x32d: [4_650_314],
  resnext20_8x16d: [3_876_170],
  resnext20_16x8d: [3_489_098],
  resnext20_32x4d: [3_295_562],
  resnext20_64x2d: [3_198_794],
  resnext56_1x64d: [9_317_194],
  resnext56_2x32d: [6_994_762],
  resnext56_4x16d: [5_833_546],
  resnext56_8x8d: [5_252_938],
};

/** Layers, where timm and the authors of SENet-154 count others. */
const misnamed: Readonly<Record<string, number>> = {
  ...{ ecaresnext50t_32x4d: 26, seresnextaa201d_32x8d: 203, senet154: 152 },
};

/** Built in forms A and B too, though they take thousands of nodes. */
const always: ReadonlySet<string> = new Set([
  ...['resnext50_32x4d', 'resnext101_32x8d', 'resnext101_64x4d', 'resnext29_8x64d', 'resnext29_16x64d'],
]);

/** Forms A and B have about seven nodes per branch. */
function isSmall(name: string): boolean {
  const { depths = [], cardinality = 0 } = variant(name);
  return 7 * cardinality * depths.reduce((sum, depth) => sum + depth, 0) < 2000;
}

test.each(variants)('%s costs what its name promises, in every form', (name) => {
  const { parameters, macs } = cost(resnext(variant(name)).graph);
  const layers = 3 * variant(name).depths!.reduce((sum, blocks) => sum + blocks, 0) + 2;
  expect(layers).toBe(misnamed[name] ?? Number(/\d+/.exec(name)![0]));
  const known = exact[name];
  if (known) expect([parameters, Number((macs / 1e9).toFixed(3))]).toEqual(known);
  const [count, billions] = rounded[name] ?? [];
  if (count) expect(typeof count === 'string' ? (parameters / 1e6).toFixed(2) : parameters).toBe(count);
  if (billions) expect(Math.abs(macs / (billions * 1e9) - 1), `${macs}`).toBeLessThan(0.01);
  if (!always.has(name) && !isSmall(name)) return;
  for (const form of forms) {
    expect(cost(resnext({ ...variant(name), form }).graph), form).toMatchObject({ parameters, macs });
  }
});

test('every published count belongs to a variant', () => {
  expect(variants).toEqual(expect.arrayContaining([...Object.keys(exact), ...Object.keys(rounded)]));
});

test('100 classes add 92,250 parameters', () => {
  const { parameters } = cost(resnext({ ...variant('resnext29_8x64d'), classes: 100 }).graph);
  expect(parameters).toBe(34_426_698 + 92_250);
});

test('any cardinality, base width and first width can be named', () => {
  expect(variant('resnext20_3x7d_w48')).toEqual({
    ...{ depths: [2, 2, 2], stem: 'cifar', cardinality: 3, baseWidth: 7, width: 48, classes: 10 },
  });
});

test('any combination of options can be named', () => {
  const shape = { cardinality: 2, baseWidth: 24, classes: 1000 };
  expect(variant('legacy_ecaresnext101_2x24d')).toEqual({
    ...{ ...shape, depths: [3, 4, 23, 3], stem: 'imagenet', width: 64, attention: 'eca', stemPool: 'max-ceil' },
  });
  expect(variant('seresnextaa38t_2x24d_w24')).toEqual({
    ...{ ...shape, depths: [3, 3, 3, 3], stem: 'tiered', width: 24, stemWidth: 12, shortcut: 'D' },
    ...{ attention: 'se', antialias: true, stemPool: 'average' },
  });
  expect(variant('seresnextaa29_2x24d')).toEqual({
    ...{ ...shape, depths: [3, 3, 3], stem: 'cifar', width: 64, classes: 10, attention: 'se', antialias: true },
  });
});

test('a network of four stages with the stem for small images can be named', () => {
  const named = variant('resnext26_8x16d_w16_cifar');
  expect(named).toEqual({
    ...{ depths: [2, 2, 2, 2], stem: 'cifar', cardinality: 8, baseWidth: 16, width: 16, classes: 10 },
  });
  expect(variantName(resolveConfig(named))).toBe('resnext26_8x16d_w16_cifar');
});

test.each([
  ['resnext20_2x64d_w32_imagenet', 'imagenet'],
  ['resnext20d_2x64d_w32_imagenet', 'deep'],
])('a network of three stages with a stem for large images can be named: %s', (name, stem) => {
  const named = variant(name);
  expect(named).toMatchObject({ depths: [2, 2, 2], stem, cardinality: 2, baseWidth: 64, width: 32, classes: 1000 });
  expect(variantName(resolveConfig(named))).toBe(name);
});

test.each([
  ['resnext29d_8x64d', 'depth 29', '"d" after the depth'],
  ['legacy_seresnext20_4x16d', 'depth 20', '"legacy_"'],
  ['resnext26d_32x4d_cifar', '"_cifar"', '"d" after the depth'],
])('"%s" is refused, since small images have no such stem', (name, cause, what) => {
  const reason = `${cause} is for small images, whose stem is one 3x3 convolution; leave out ${what}.`;
  expect(() => variant(name)).toThrow(new UsageError(`"${name}" is not a variant: ${reason}`));
});

test('seresnextaa201d_32x8d costs at 384 x 384 what timm counts', () => {
  const { macs } = cost(resnext({ ...variant('seresnextaa201d_32x8d'), inputSize: 384 }).graph);
  expect(Math.abs(macs / 101.11e9 - 1)).toBeLessThan(0.01);
});

test.each([
  ['resnet50', ' There is no ResNet here, only ResNeXt. Did you mean resnext50_32x4d?'],
  ['resnet18', ' There is no ResNet here, only ResNeXt.'],
  ['resnext50', ' Did you mean resnext50_32x4d?'],
  ['ResNeXt-101', ' Did you mean resnext101_32x4d?'],
  ['resnext50_32x4', ' Did you mean resnext50_32x4d?'],
  ['resnetx50_32x4d', ' Did you mean resnext50_32x4d?'],
  ['resnext51_32x4d', ' Did you mean resnext50_32x4d?'],
  ['seresnext50_32x4', ' Did you mean seresnext50_32x4d?'],
  ['senet-154', ' Did you mean senet154?'],
  ['seresnextaa101_32x8', ' Did you mean seresnextaa101d_32x8d?'],
  ['a-net-of-depth-201', ' Did you mean seresnextaa201d_32x8d?'],
  ['constructor', ''],
  ['vgg', ''],
])('"%s" is refused with the nearest name', (name, suggestion) => {
  const depths = '11, 14, 20, 26, 29, 38, 50, 56, 101, 152, 201, 272';
  const rule = 'Names look like resnext50_32x4d: depth, cardinality x base width. Depths:';
  expect(() => variant(name)).toThrow(new UsageError(`"${name}" is not a variant. ${rule} ${depths}.${suggestion}`));
});
