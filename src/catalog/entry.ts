/**
 * What is known of published weights: where they are, how they are checked, under which license, how images are made
 * ready for them and how well they do. The tables beside this file hold the facts; here are their types, and what the
 * tables share: parameter counts per variant and preprocessing from a size and the share of the image that is kept.
 */
import { imagenetPreprocessing, type Preprocessing } from '../data/presets.ts';
import type { Interpolation } from '../data/resize.ts';

/** Which classes the outputs stand for. */
export type LabelSet = 'imagenet-1k' | 'imagenet-12k' | 'cifar-10' | 'cifar-100' | 'svhn';

/** A file of a repository on the Hugging Face hub, which itself says what the file's hash is. */
export interface HubSource {
  readonly repository: string;
  readonly file: string;
}

/** A file at an address. */
export interface UrlSource {
  readonly url: string;
  readonly file: string;
  /** The first hexadecimal digits, at least 8, of the file's SHA-256. */
  readonly sha256?: string;
  /** The SHA-1 of the one file inside, for a zip. */
  readonly sha1Inside?: string;
}

/** Shares of ImageNet's or CIFAR's test images, in percent, whose class is the likeliest, or among the likeliest five. */
export interface Metric {
  readonly size: number;
  readonly top1: number;
  readonly top5?: number;
}

export interface PublishedWeights {
  /** `{variant}.{tag}`, as timm writes it. */
  readonly name: string;
  /** Other names of the same weights: torchvision's, timm's older ones, pytorchcv's. */
  readonly aliases: readonly string[];
  /** What `variant()` takes. */
  readonly variant: string;
  /** Where the weights are, the best place first. */
  readonly sources: readonly (HubSource | UrlSource)[];
  /** Names under which the weights lie on people's disks, hash and all. */
  readonly files: readonly string[];
  /** Of the file, in 1,000,000 bytes, where it is published; four bytes per parameter otherwise. */
  readonly megabytes: number;
  /** SPDX identifier. */
  readonly license: string;
  readonly parameters: number;
  readonly metrics: readonly Metric[];
  /** How images are made ready in everyday use: at the training size, but no smaller than 224 pixels for ImageNet. */
  readonly preprocessing: Preprocessing;
  /** A larger view, slower and a little better, that the weights were also tested at. */
  readonly larger?: Preprocessing;
  readonly labels: LabelSet;
  /** How the weights were trained: a phrase or an address. */
  readonly recipe: string;
}

/** Edge of the input in pixels, and the share of the shorter side that the crop keeps. */
export type View = readonly [size: number, crop: number];

/**
 * ImageNet's preprocessing for a view: the shorter side is brought to ⌊size / crop⌋.
 *
 * @example imagenetView([224, 0.95], 'bicubic').resize // 235
 */
export const imagenetView = ([size, crop]: View, interpolation: Interpolation): Preprocessing => ({
  ...imagenetPreprocessing,
  size,
  resize: Math.floor(size / crop),
  interpolation,
});

/** Whether a license permits commercial use: all that occur here do, but for Creative Commons' `NC`. */
export const isCommercial = ({ license }: { readonly license: string }): boolean => !/-NC-/.test(license);

export const classesOf: Readonly<Record<LabelSet, number>> = {
  'imagenet-1k': 1000,
  'imagenet-12k': 11_821,
  'cifar-10': 10,
  'cifar-100': 100,
  svhn: 10,
};

/** Parameters with 1,000 classes, or 10 for the nets of 29 and 272 layers. */
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

/** Every one of these nets ends in 2,048 features, CIFAR's in 1,024; each class takes a weight for each and a bias. */
function parametersOf(variant: string, labels: LabelSet): number {
  const cifar = /^resnext(29|272)_/.test(variant);
  const [features, classes] = cifar ? [1024, 10] : [2048, 1000];
  return parameters[variant]! + (classesOf[labels] - classes) * (features + 1);
}

/** What a row of a table says, before what follows from it is added. */
type Row = Omit<PublishedWeights, 'variant' | 'parameters' | 'megabytes'> & { readonly megabytes?: number };

/** An entry from a row: the variant is the name up to its dot, unless it is given. */
export function entry(row: Row, variant = row.name.split('.')[0]!): PublishedWeights {
  const count = parametersOf(variant, row.labels);
  return { ...row, variant, parameters: count, megabytes: row.megabytes ?? Math.round((4 * count) / 1e5) / 10 };
}
