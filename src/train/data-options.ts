/** The options of a run's data: how training images are varied and mixed, and which ones an epoch has. */
import { augmentationKind, augmentationNames, variationFields } from '../data/augmentations.ts';
import { oneOf, real, whole } from '../options.ts';

const group = 'Augmentation';

/** Chosen by the network's stem. */
export const usualAugmentationName = 'auto';

const isAugmentation = (value: unknown): value is string =>
  value === usualAugmentationName || augmentationKind.accepts(value);

export const augmentationOptions = {
  augmentation: {
    ...augmentationKind,
    choices: [usualAugmentationName, ...augmentationNames],
    expected: `${usualAugmentationName}, ${augmentationKind.expected}`,
    accepts: isAugmentation,
    default: 'auto',
    flag: '--augmentation <kind>',
    usual: 'auto, which is pad-and-crop with a cifar stem, else random-resized-crop',
    group,
    doc: 'how training images are varied; also a policy of timm, such as rand-m7-n2-mstd0.5-inc1 or 3a',
  },
  ...variationFields,
  mixup: real({
    from: 0,
    default: 0,
    flag: '--mixup <alpha>',
    usual: '0, which mixes none',
    group,
    doc: 'mix images and their targets in a proportion drawn from Beta(α, α)',
  }),
  cutmix: real({
    from: 0,
    default: 0,
    flag: '--cutmix <alpha>',
    usual: '0, which mixes none',
    group,
    doc: 'replace a box in each image with one from another image; with mixup, each batch gets one of the two',
  }),
  mixEpochs: whole({
    from: 0,
    default: 0,
    flag: '--mix-epochs <n>',
    usual: '0, all',
    group,
    doc: 'epochs after which images are no longer mixed',
  }),
  repeats: whole({
    from: 1,
    default: 1,
    flag: '--repeats <n>',
    group,
    doc: 'augmented copies of each image in a row; the number of steps stays, so an epoch has fewer different images',
  }),
};

export const targetOptions = {
  targetThreshold: real({
    from: 0,
    below: 1,
    default: 0,
    flag: '--target-threshold <t>',
    usual: '0, which keeps the shares',
    group: 'Regularization',
    doc: 'with binary cross-entropy, make targets above this share 1 and the others 0',
  }),
  classWeights: oneOf(['none', 'balanced', 'effective'], {
    default: 'none',
    flag: '--class-weights <kind>',
    group: 'Optimization',
    doc: 'how the loss weights classes by their numbers of images',
  }),
  sampling: oneOf(['shuffled', 'balanced'], {
    default: 'shuffled',
    flag: '--sampling <kind>',
    group: 'Optimization',
    doc: 'images of an epoch: each image once, or drawn with replacement so that all classes are equally frequent',
  }),
};
