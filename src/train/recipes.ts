/**
 * Recipes: options that are known to train well together, as papers and other programs have them. An entry is data, and
 * its options are those of `options.ts`. It says nothing on images and machine, and only a recipe that makes one certain model
 * says something on its network; the defaults of all other options complete it.
 *
 * The learning rate is for batches of `referenceBatch` images, and sizes are for inputs of `referenceSize` pixels. They are
 * scaled to the batch and the input of the run.
 */
import type { Recipe } from './options.ts';

/** Options of a run that are in no recipe: its images, and the model that it starts from. */
export const sourceOptions = [
  'data',
  'imageColumn',
  'labelColumn',
  'from',
  'key',
  'recipe',
] as const satisfies readonly (keyof Recipe)[];

/** Options that a recipe leaves to the run unless it has them: network, how batches fit this machine, and when it ends. */
export const runOptions = [
  ...sourceOptions,
  ...(['validation', 'fold', 'size', 'inputChannels', 'freeze', 'linearProbe', 'variant', 'form', 'shortcut'] as const),
  ...(['seed', 'batch', 'accumulate', 'replicas', 'bestBy', 'patience'] as const),
] satisfies readonly (keyof Recipe)[];

export type RecipeOptions = Partial<Omit<Recipe, (typeof sourceOptions)[number]>> &
  Pick<Recipe, 'epochs' | 'optimizer' | 'learningRate'>;

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
  /** The size of the input that `trainSize` and `resize` are for. */
  readonly referenceSize?: number;
  readonly options: RecipeOptions;
}

/** Stochastic gradient descent with the paper's momentum. */
const sgd = { optimizer: 'sgd', momentum: 0.9, nesterov: true } as const;

/** PyTorch's default, without Nesterov's look-ahead. */
const plainSgd = { ...sgd, nesterov: false } as const;

/** One weight decay for all parameters, or only for the weights of convolutions and of the classifier. */
const decayOfAll = (weightDecay: number) => ({ weightDecay, normWeightDecay: weightDecay });
const decayOfWeights = (weightDecay: number) => ({ weightDecay, normWeightDecay: 0 });

/** "ResNet strikes back" (Wightman et al., 2021): what its three recipes have in common. */
const strikesBack = {
  optimizer: 'lamb',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-6,
  maxGradientNorm: 1,
  loss: 'binary-cross-entropy',
  schedule: 'cosine',
  minLearningRate: 1e-6,
  warmup: 5,
  warmupFactor: 1e-4,
  warmupPrefix: true,
  cutmix: 1,
  interpolation: 'bicubic',
  resize: 236,
  zeroInitLast: true,
} as const;

const strikesBackSource = (name: string) =>
  `open-mmlab/mmpretrain, configs/resnet/resnet50_8xb256-rsb-${name}_in1k.py, which is for ResNet-50; timm’s ${name.slice(0, 2)} weights`;

const strikesBackDifferences =
  'The authors synchronized batch statistics over 8 GPUs, 2048 images; here they are those of a batch, or of each part with --accumulate. Those who train with timm’s script usually add a threshold for the targets, which the source does not have: --target-threshold 0.2.';

/** timm's weight decay, SGD and cosine, for batches of 1536. */
const timmRate = 0.6;

/** α = (1 − 0.99998) · images between updates / epochs, of torchvision's training script. */
const torchvisionAverage = 1 - ((1 - 0.99998) * 1024 * 32) / 600;

/**
 * What the models of this package have in common: one to two hours on two cores. Images of 32 pixels are enlarged, so that a
 * wide network is affordable, which sees them at a quarter of that after its stem. AdamW learns more in few epochs than SGD.
 */
const shipped = {
  batch: 128,
  replicas: 2, // so statistics are those of half a batch
  optimizer: 'adamw',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  ...decayOfWeights(0.05),
  schedule: 'one-cycle', // makes most of few epochs
  labelSmoothing: 0.1,
  augmentation: 'pad-and-crop',
  interpolation: 'bilinear',
} as const;

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
      interpolation: 'bicubic',
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
      interpolation: 'bilinear',
    },
  },
  'torchvision-v2': {
    description: 'torchvision’s V2 weights: long, with mixing, small training images and an average of the weights',
    source:
      'pytorch.org, How to train state-of-the-art models using TorchVision’s latest primitives; pytorch/vision issue 3995 and references/classification',
    differences:
      'Repeated augmentation (--repeats 4) is that of resnext101_64x4d; the published resnext50_32x4d has none: --repeats 1. The learning rate changes with each step, not with each epoch. The average decays as for batches of 1024 and 600 epochs, whatever the run has, and rises from zero with --average-warmup instead of being a copy in the first 5 epochs. Erased regions have timm’s aspect ratios, 0.3 to 3.33 instead of 3.3. The classifier’s bias does not decay.',
    referenceBatch: 1024,
    referenceSize: 224,
    options: {
      epochs: 600,
      ...plainSgd,
      learningRate: 0.5,
      ...decayOfWeights(2e-5),
      schedule: 'cosine',
      warmup: 5,
      warmupFactor: 0.01,
      warmupPrefix: true,
      labelSmoothing: 0.1,
      augmentation: 'trivial-augment',
      erasing: 0.1,
      mixup: 0.2,
      cutmix: 1,
      repeats: 4,
      averageDecay: torchvisionAverage,
      averageEvery: 32,
      averageWarmup: true,
      trainSize: [176],
      resize: 232,
      interpolation: 'bilinear',
    },
  },
  'timm-ra': {
    description: 'timm’s resnext50_32x4d.ra_in1k: RandAugment and random erasing',
    source: 'huggingface/pytorch-image-models, hfdocs/source/training_script.mdx; defaults of its train.py',
    differences:
      'The learning rate changes with each step, not with each epoch, and in the warm-up it is also multiplied by the cosine (0.1 % less).',
    referenceBatch: 1536,
    options: {
      epochs: 240,
      ...sgd,
      learningRate: timmRate,
      ...decayOfWeights(1e-4),
      schedule: 'cosine',
      warmup: 5,
      warmupFactor: 1e-5 / timmRate,
      labelSmoothing: 0.1,
      augmentation: 'rand-m7-mstd0.5-inc1',
      erasing: 0.4,
      erasingMode: 'pixel',
      erasingCount: 3,
      interpolation: 'bicubic',
      zeroInitLast: true,
    },
  },
  'rsb-a1': {
    description: 'ResNet strikes back, A1: the longest, for the best accuracy',
    source: strikesBackSource('a1-600e'),
    differences: strikesBackDifferences,
    referenceBatch: 2048,
    referenceSize: 224,
    options: {
      ...strikesBack,
      epochs: 600,
      learningRate: 5e-3,
      ...decayOfWeights(0.01),
      labelSmoothing: 0.1,
      mixup: 0.2,
      repeats: 3,
      dropPath: 0.05,
      augmentation: 'rand-m7-n2-mstd0.5-inc1',
    },
  },
  'rsb-a2': {
    description: 'ResNet strikes back, A2: half as long',
    source: strikesBackSource('a2-300e'),
    differences: strikesBackDifferences,
    referenceBatch: 2048,
    referenceSize: 224,
    options: {
      ...strikesBack,
      epochs: 300,
      learningRate: 5e-3,
      ...decayOfWeights(0.02),
      mixup: 0.1,
      repeats: 3,
      dropPath: 0.05,
      augmentation: 'rand-m7-n2-mstd0.5-inc1',
    },
  },
  'rsb-a3': {
    description: 'ResNet strikes back, A3: the shortest, on smaller training images',
    source: strikesBackSource('a3-100e'),
    differences: `The source trains on 224 pixels; 160 is what timm’s a3 weights were trained on. ${strikesBackDifferences}`,
    referenceBatch: 2048,
    referenceSize: 224,
    options: {
      ...strikesBack,
      epochs: 100,
      learningRate: 8e-3,
      ...decayOfWeights(0.02),
      mixup: 0.1,
      augmentation: 'rand-m6-n2-mstd0.5-inc1',
      trainSize: [160],
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
      augmentation: 'auto', // flips and crops: more would need more epochs
    },
  },
  quick: {
    description: 'a good model in a few epochs, for small machines',
    source: 'this package; the schedule is of Smith and Topin (2018), arXiv 1708.07120',
    referenceBatch: 128,
    options: {
      epochs: 10, // a few minutes; one-cycle makes most of few epochs
      ...sgd,
      learningRate: 0.2, // twice the usual, since the peak is short; with 0.4, photos came out worse
      ...decayOfAll(5e-4), // the paper's for small images
      schedule: 'one-cycle',
      augmentation: 'auto', // flips and crops: more would need more epochs
    },
  },
  'cifar10-default': {
    description: 'makes cifar10, a model of this package, again; needs --from bench/models/start/cifar10',
    source: 'this package, on the 50,000 training images of CIFAR-10',
    needsModel: true,
    referenceBatch: 128,
    referenceSize: 96,
    options: {
      ...shipped,
      size: 96,
      resize: 96,
      seed: 4, // another order of images than those of the weights it starts from
      epochs: 8,
      learningRate: 0.002,
      backboneLearningRate: 0.002,
      mixup: 0.2,
      cutmix: 1,
      mixEpochs: 6,
    },
  },
  'objects200-default': {
    description: 'makes objects200, a model of this package, again; needs --from bench/models/start/objects200',
    source: 'this package, on the 100,000 training images of Tiny ImageNet, at 32 x 32 pixels',
    needsModel: true,
    referenceBatch: 128,
    referenceSize: 64,
    options: {
      ...shipped,
      size: 64,
      resize: 64,
      seed: 3, // another order of images than those of the weights it starts from
      epochs: 6,
      learningRate: 0.002,
      backboneLearningRate: 0.002,
      sharpen: 0.75, // the validation images are sharper than the training images
    },
  },
} as const satisfies { readonly [name: string]: RecipeEntry };

export type RecipeName = keyof typeof recipes;

export const recipeNames = Object.keys(recipes) as readonly RecipeName[];
