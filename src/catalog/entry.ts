/**
 * What the catalog knows about published weights: where they are, how a download is checked, their license, how images are
 * preprocessed and how accurate they are. The tables beside this file hold the facts; here are their types, and what
 * follows from a row: parameters from the variant, preprocessing from a size and the share of the image that is kept.
 */
import { imagenetPreprocessing, type Preprocessing } from '../data/presets.ts';
import type { Interpolation } from '../data/resize.ts';
import { cost } from '../graph/cost.ts';
import { resnext } from '../model/resnext.ts';
import { variant } from '../model/variants.ts';

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

const counts = new Map<string, number>();

/** Parameters of a variant with these classes; each variant is built once, when its count is first read. */
function parametersOf(name: string, classes: number): number {
  const key = `${name} ${classes}`;
  const count = counts.get(key) ?? cost(resnext({ ...variant(name), classes }).graph).parameters;
  counts.set(key, count);
  return count;
}

/** What a row of a table says, before what follows from it is added. */
type Row = Omit<PublishedWeights, 'variant' | 'parameters' | 'megabytes'> & { readonly megabytes?: number };

/** An entry from a row: the variant is the name up to its dot, unless it is given. */
export function entry(row: Row, variantName = row.name.split('.')[0]!): PublishedWeights {
  return {
    ...row,
    variant: variantName,
    get parameters() {
      return parametersOf(variantName, classesOf[row.labels]);
    },
    get megabytes() {
      return row.megabytes ?? Math.round((4 * this.parameters) / 1e5) / 10;
    },
  };
}
