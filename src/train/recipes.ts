/**
 * Recipes: options that are known to train well together, as papers and other programs have them. An entry is data, and
 * its options are those of `options.ts`. It says nothing on images, network and machine; the defaults of all other options
 * complete it.
 *
 * The learning rate is for batches of `referenceBatch` images. `chosen-recipe.ts` scales it to the batch of the run.
 */
import type { Recipe } from './options.ts';

/** Options that a recipe leaves to the run: its images, its network, how its batches fit this machine, and when it ends. */
export const runOptions = [
  ...(['data', 'imageColumn', 'labelColumn', 'validation', 'fold', 'size', 'inputChannels'] as const),
  ...(['from', 'key', 'freeze', 'linearProbe', 'variant', 'form', 'shortcut'] as const),
  ...(['recipe', 'seed', 'batch', 'accumulate', 'replicas', 'bestBy', 'patience'] as const),
] satisfies readonly (keyof Recipe)[];

type RunOption = (typeof runOptions)[number];

export type RecipeOptions = Partial<Omit<Recipe, RunOption>> & Pick<Recipe, 'epochs' | 'optimizer' | 'learningRate'>;

export interface RecipeEntry {
  /** One line: whose recipe it is, or what it is for. */
  readonly description: string;
  /** Where its numbers are from. */
  readonly source: string;
  /** What is not as in the source, or is not known. */
  readonly differences?: string;
  /** Whether it is of use only with a pretrained model. */
  readonly needsModel?: true;
  /** The batch that the learning rate is for. */
  readonly referenceBatch: number;
  readonly options: RecipeOptions;
}

/** Stochastic gradient descent with the paper's momentum. */
const sgd = { optimizer: 'sgd', momentum: 0.9, nesterov: true } as const;

/** PyTorch's default, without Nesterov's look-ahead. */
const plainSgd = { ...sgd, nesterov: false } as const;

/** One weight decay for all parameters, or only for the weights of convolutions and of the classifier. */
const decayOfAll = (weightDecay: number) => ({ weightDecay, normWeightDecay: weightDecay });
const decayOfWeights = (weightDecay: number) => ({ weightDecay, normWeightDecay: 0 });

export const recipes = {
  'paper-imagenet': {
    description: 'ResNeXt on ImageNet, as in the paper and its code',
    source: 'arXiv 1611.05431, section 4; facebookresearch/ResNeXt, opts.lua, train.lua and datasets/imagenet.lua',
    differences: 'The authors normalized with the statistics of the 32 images on each of 8 GPUs: add --accumulate 8.',
    referenceBatch: 256,
    options: {
      epochs: 100,
      ...sgd,
      learningRate: 0.1,
      ...decayOfAll(1e-4),
      schedule: 'step',
      decayEvery: 30,
      augmentation: 'color-jitter',
    },
  },
  'paper-cifar': {
    description: 'ResNeXt-29 on CIFAR-10 and CIFAR-100, as in the paper',
    source: 'arXiv 1611.05431, section 5.3; facebookresearch/ResNeXt, README and datasets/cifar10.lua',
    differences:
      'The learning rate decays after 1/2 and 3/4 of the epochs, 150 and 225 as in the paper; the code does so 3 epochs earlier.',
    referenceBatch: 128,
    options: {
      epochs: 300,
      ...sgd,
      learningRate: 0.1,
      ...decayOfAll(5e-4),
      schedule: 'step',
      augmentation: 'pad-and-crop',
    },
  },
  'torchvision-v1': {
    description: 'torchvision’s V1 weights of resnext50_32x4d and resnext101_32x8d',
    source: 'pytorch/vision v0.21.0, references/classification/README.md and train.py',
    referenceBatch: 256,
    options: {
      epochs: 100,
      ...plainSgd,
      learningRate: 0.1,
      ...decayOfAll(1e-4),
      schedule: 'step',
      decayEvery: 30,
      augmentation: 'random-resized-crop',
    },
  },
  finetune: {
    description: 'a pretrained model on few images of your own; needs --from',
    source: 'this package',
    needsModel: true,
    referenceBatch: 32,
    options: {
      epochs: 15, // enough for a few thousand images, and few enough not to forget
      ...sgd,
      learningRate: 0.01, // of the new classifier; everything else learns at a tenth of it
      ...decayOfWeights(1e-4), // the weights are good already, and only need to stay small
      schedule: 'cosine', // ends in small steps, so the last epochs are usually the best
      warmup: 1, // the new classifier is random at first, and its gradients are large
      labelSmoothing: 0.1, // keeps few images from being learned by heart
      augmentation: 'random-resized-crop', // strong augmentation needs more epochs than this
    },
  },
  quick: {
    description: 'a good model in a few epochs, for small machines',
    source: 'this package; the schedule is of Smith and Topin (2018), arXiv 1708.07120',
    referenceBatch: 128,
    options: {
      epochs: 10, // one-cycle reaches in 10 epochs most of what others reach in 30
      ...sgd,
      learningRate: 0.2, // twice the usual, since the peak is short
      ...decayOfAll(5e-4), // the paper's for small images
      schedule: 'one-cycle',
      augmentation: 'auto', // flips and crops: more would need more epochs
    },
  },
} as const satisfies { readonly [name: string]: RecipeEntry };

export type RecipeName = keyof typeof recipes;

export const recipeNames = Object.keys(recipes) as readonly RecipeName[];
