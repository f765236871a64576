/**
 * Named variants as data: the blocks per stage for each depth, and the published C x d of each family. A name has the form
 *
 *   [legacy_] [se|eca] resnext [aa] depth [d|t] _{cardinality}x{base width}d [_w{width}] [_cifar|_imagenet]
 *
 * d: deep stem and average-pooled shortcuts; t: the same with a tiered stem; se, eca: attention; aa: anti-aliased;
 * legacy_: the stem's pool is that of the first SE networks; _w: features of the first stage, if not 64; _cifar, _imagenet:
 * the stem, where it is not the one that the depth implies. Any combination is a valid name; `variants` lists those of the
 * paper, the authors, torchvision, timm, PaddleClas and pytorchcv.
 */

import { checkArgument, kind, path } from '../arguments.ts';
import { didYouMean, meantName } from '../closest-name.ts';
import { UsageError } from '../errors.ts';
import type { ResNeXtOptions } from './config.ts';

/** Blocks per stage. Networks of three stages are for CIFAR's small images unless their names say otherwise. */
const depths: Readonly<Record<string, readonly number[]>> = {
  14: [1, 1, 1, 1],
  26: [2, 2, 2, 2],
  38: [3, 3, 3, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
  201: [3, 24, 36, 4], // timm's name; it has 203 layers
  11: [1, 1, 1],
  20: [2, 2, 2],
  29: [3, 3, 3],
  56: [6, 6, 6],
  272: [30, 30, 30],
};

/** The published families, with the C x d of each. */
const published: Readonly<Record<string, readonly string[]>> = {
  resnext14: ['16x4d', '32x2d', '32x4d'],
  resnext26: ['16x4d', '32x2d', '32x4d'],
  resnext38: ['32x4d'],
  resnext50: ['32x4d', '2x40d', '4x24d', '8x14d', '64x4d'],
  resnext101: ['32x4d', '32x8d', '64x4d', '32x16d', '32x32d', '32x48d', '2x64d', '1x100d'],
  resnext152: ['32x4d', '64x4d'],
  resnext26d: ['32x4d'],
  resnext50d: ['32x4d', '64x4d'],
  resnext101d: ['32x4d', '64x4d'],
  resnext152d: ['32x4d', '64x4d'],
  seresnext26d: ['32x4d'],
  seresnext26t: ['32x4d'],
  seresnext50: ['32x4d'],
  seresnext50d: ['32x4d'],
  seresnext101: ['32x4d', '32x8d', '64x4d'],
  seresnext101d: ['32x8d'],
  seresnextaa101d: ['32x8d'],
  seresnextaa201d: ['32x8d'],
  ecaresnext26t: ['32x4d'],
  ecaresnext50t: ['32x4d'],
  legacy_seresnext26: ['32x4d'],
  legacy_seresnext50: ['32x4d'],
  legacy_seresnext101: ['32x4d'],
  resnext11: ['8x16d_w16', '8x16d_w32'],
  resnext20: [
    ...['1x64d', '2x32d', '2x64d', '4x16d', '4x32d', '8x8d', '8x16d'],
    ...['16x4d', '16x8d', '32x2d', '32x4d', '64x1d', '64x2d', '8x16d_w16'],
  ],
  resnext29: ['1x64d', '2x64d', '4x64d', '8x64d', '16x64d', '32x4d'],
  resnext56: ['1x64d', '2x32d', '4x16d', '8x8d', '16x4d', '32x2d', '64x1d'],
  resnext272: ['1x64d', '2x32d'],
};

/** Options of published networks that do not follow from their names. */
const exceptions: Readonly<Record<string, ResNeXtOptions>> = {
  ecaresnext50t_32x4d: { depths: depths[26]! }, // as in timm, whose entry has the blocks of the 26-layer network
  seresnextaa201d_32x8d: { stemWidth: 64 },
  // without the dropout before its classifier, which acts in training only
  senet154: {
    ...{ depths: depths[152]!, cardinality: 64, baseWidth: 4, width: 64, classes: 1000, halvedSplit: true },
    ...{ stem: 'deep', stemWidth: 64, stemPool: 'max-ceil', shortcutKernel: 3, attention: 'se' },
  },
};

/** Every named variant. */
export const variants: readonly string[] = [
  ...Object.entries(published).flatMap(([family, shapes]) => shapes.map((shape) => `${family}_${shape}`)),
  'senet154',
];

const pattern =
  /^(?<legacy>legacy_)?(?<attention>se|eca)?resnext(?<antialias>aa)?(?<depth>\d+)(?<deep>[dt])?_(?<cardinality>\d+)x(?<baseWidth>\d+)d(?:_w(?<width>\d+))?(?:_(?<stem>cifar|imagenet))?$/;

type Parts = Readonly<Record<string, string | undefined>>;

const variantKind = kind('the name of a variant, such as resnext50_32x4d', path.accepts);

/**
 * The config of a named variant.
 *
 * @throws UsageError if the name is invalid, suggesting the closest valid one, or if it combines a stem for large images
 *   with a depth for small ones.
 * @example variant('resnext29_8x64d') // { depths: [3, 3, 3], stem: 'cifar', cardinality: 8, baseWidth: 64, … }
 */
export function variant(name: string): ResNeXtOptions {
  checkArgument('name', name, variantKind);
  const parts: Parts = pattern.exec(name)?.groups ?? {};
  const known = depths[parts.depth ?? ''];
  if (!known && Object.hasOwn(exceptions, name)) return exceptions[name]!;
  if (!known) {
    const rule = 'Names look like resnext50_32x4d: depth, cardinality x base width';
    throw new UsageError(
      `"${name}" is not a variant. ${rule}. Depths: ${Object.keys(depths).join(', ')}.${suggestVariant(name)}`,
    );
  }
  const isSmall = parts.stem ? parts.stem === 'cifar' : known.length === 3;
  const [cardinality, baseWidth, width] = [
    Number(parts.cardinality),
    Number(parts.baseWidth),
    Number(parts.width ?? 64),
  ];
  return {
    ...{ depths: known, stem: isSmall ? 'cifar' : 'imagenet', cardinality, baseWidth, width },
    classes: isSmall ? 10 : 1000,
    ...(parts.attention && { attention: parts.attention === 'se' ? 'se' : 'eca' }),
    ...(parts.antialias && { antialias: true }),
    ...(isSmall ? smallStem(name, parts) : largeStem(parts, width)),
    ...exceptions[name],
  };
}

/** A deep stem's output has as many features as the first stage. */
function largeStem({ legacy, deep, antialias }: Parts, width: number): ResNeXtOptions {
  return {
    ...(legacy && { stemPool: 'max-ceil' }),
    ...(antialias && { stemPool: 'average' }),
    ...(deep && { stem: deep === 'd' ? 'deep' : 'tiered', stemWidth: Math.ceil(width / 2), shortcut: 'D' }),
  };
}

function smallStem(name: string, { legacy, depth, deep, stem }: Parts): ResNeXtOptions {
  if (!legacy && !deep) return {};
  const what = deep ? `"${deep}" after the depth` : '"legacy_"';
  throw new UsageError(
    `"${name}" is not a variant: ${stem ? '"_cifar"' : `depth ${depth}`} is for small images, whose stem is one 3x3 convolution; leave out ${what}.`,
  );
}

/** Whether a name is that of a ResNet rather than a ResNeXt. */
export const isResNet = (name: string): boolean => /resnet[-_ ]?\d/i.test(name);

/** Sentences, after a space, on the variant that was probably meant, by its name or else by its depth. */
export function suggestVariant(name: string): string {
  const depth = depthIn(name);
  const sameDepth = variants.find((known) => depth !== undefined && depthIn(known) === depth);
  const family = isResNet(name) ? ' There is no ResNet here, only ResNeXt.' : '';
  return `${family}${didYouMean(meantName(name, variants) ?? sameDepth)}`;
}

const depthIn = (name: string): string | undefined => /\d+/.exec(name)?.[0];
