/**
 * An entry of the catalog of published weights: where to download them, how to verify them, their license,
 * preprocessing and accuracy. The tables in this folder hold the facts. This file has their types, and derives the
 * rest: parameter counts from the variant, preprocessing from the input size and the crop.
 */
import { imagenetPreprocessing, type Preprocessing } from '../data/presets.ts';
import type { Interpolation } from '../data/resize.ts';
import { cost } from '../graph/cost.ts';
import { resnext } from '../model/resnext.ts';
import { variant } from '../model/variants.ts';

/** The set of classes that the outputs refer to. */
export type LabelSet = 'imagenet-1k' | 'imagenet-12k' | 'cifar-10' | 'cifar-100' | 'svhn';

/** A file in a repository on the Hugging Face hub. The hub provides its hash. */
export interface HubSource {
  readonly repository: string;
  readonly file: string;
}

/** A file at a URL. */
export interface UrlSource {
  readonly url: string;
  readonly file: string;
  /** The first hexadecimal digits (at least 8) of the file's SHA-256. */
  readonly sha256?: string;
  /** The SHA-1 of the file inside, for a zip archive. */
  readonly sha1Inside?: string;
}

/** Top-1 and top-5 accuracy on the test set, in percent, at an input size in pixels. */
export interface Metric {
  readonly size: number;
  readonly top1: number;
  readonly top5?: number;
}

/** An entry of the catalog. */
export interface PublishedWeights {
  /** `{variant}.{tag}`, in timm's style. */
  readonly name: string;
  /** Other names of the same weights: torchvision's, timm's older names, pytorchcv's. */
  readonly aliases: readonly string[];
  /** The variant's name, for `variant()`. */
  readonly variant: string;
  /** Where to download the weights, in order of preference. */
  readonly sources: readonly (HubSource | UrlSource)[];
  /** File names, including hashes, under which the weights are distributed. */
  readonly files: readonly string[];
  /** Size of the file in units of 1,000,000 bytes, if published; otherwise 4 bytes per parameter. */
  readonly megabytes: number;
  /** SPDX identifier. */
  readonly license: string;
  readonly parameters: number;
  readonly metrics: readonly Metric[];
  /** Default preprocessing: at the training size, but at least 224 pixels for ImageNet. */
  readonly preprocessing: Preprocessing;
  /** Preprocessing at a larger size that was also evaluated: slower and slightly more accurate. */
  readonly larger?: Preprocessing;
  readonly labels: LabelSet;
  /** How the weights were trained: a phrase or a URL. */
  readonly recipe: string;
}

/** Input size in pixels, and the fraction of the shorter side that the center crop keeps. */
export type View = readonly [size: number, crop: number];

/**
 * ImageNet preprocessing for a view: the shorter side is resized to ⌊size / crop⌋.
 *
 * @example imagenetView([224, 0.95], 'bicubic').resize // 235
 */
export const imagenetView = ([size, crop]: View, interpolation: Interpolation): Preprocessing => ({
  ...imagenetPreprocessing,
  size,
  resize: Math.floor(size / crop),
  interpolation,
});

/** Whether a license permits commercial use: all licenses in the catalog do, except Creative Commons `NC`. */
export const isCommercial = ({ license }: { readonly license: string }): boolean => !/-NC-/.test(license);

export const classesOf: Readonly<Record<LabelSet, number>> = {
  'imagenet-1k': 1000,
  'imagenet-12k': 11_821,
  'cifar-10': 10,
  'cifar-100': 100,
  svhn: 10,
};

const counts = new Map<string, number>();

/** Parameter count of a variant with that many classes. Each is built once, when its count is first read. */
function parametersOf(name: string, classes: number): number {
  const key = `${name} ${classes}`;
  const count = counts.get(key) ?? cost(resnext({ ...variant(name), classes }).graph).parameters;
  counts.set(key, count);
  return count;
}

/** The facts of an entry, without the derived properties. */
type Row = Omit<PublishedWeights, 'variant' | 'parameters' | 'megabytes'> & { readonly megabytes?: number };

/** Builds an entry from a row. By default, the variant is the part of the name before the first dot. */
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
