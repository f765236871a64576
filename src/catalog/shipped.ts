/**
 * The models that ship with this package, in its folder `models`: a folder for each, with `model.safetensors`, `model.json` and
 * a model card. They were trained by recipes of this package on images of 32 x 32, which they enlarge.
 */

/** A model that ships with this package. */
export interface ShippedModel {
  /** Also the name of its folder. */
  readonly name: string;
  /** What it is, in one line. */
  readonly summary: string;
  readonly classes: number;
  /** Height and width of its input in pixels. */
  readonly size: number;
}

/** All models that ship with this package. */
export const shippedModels: readonly ShippedModel[] = [
  {
    name: 'cifar10',
    summary: 'classifies small images into the ten classes of CIFAR-10: airplane, automobile, bird, cat, deer, …',
    classes: 10,
    size: 96,
  },
  {
    name: 'objects200',
    summary: 'knows 200 kinds of things from small photos; a base to fine-tune from',
    classes: 200,
    size: 64,
  },
];

/** The model that is used where none is named. */
export const defaultModel = 'cifar10';

/** The shipped model with that name, if there is one. */
export const lookUpShipped = (name: string): ShippedModel | undefined =>
  shippedModels.find((model) => model.name === name);
