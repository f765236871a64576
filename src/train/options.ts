/**
 * The options of a training run, in two tables. The `recipe` determines what is trained and how; checkpoints save it, and
 * a resumed run follows it. The `settings` depend on the machine and are not saved, so a resumed run gets new ones.
 */
import { availableParallelism } from 'node:os';
import { maxMegapixels } from '../data/budget.ts';
import { defaultCache } from '../data/loader.ts';
import { interpolations } from '../data/resize.ts';
import { workers } from '../data/workers.ts';
import { forms, type ResNeXtConfig, resolveConfig, shortcuts } from '../model/config.ts';
import { maxSide } from '../model/limits.ts';
import { variant } from '../model/variants.ts';
import { flag, type GivenOf, list, type OptionsOf, oneOf, real, text, threads, whole } from '../options.ts';
import { key } from '../weights/state-dict.ts';
import { augmentationOptions } from './data-options.ts';
import { fold } from './fold.ts';
import { optimizationOptions, type RateFactors } from './optimization-options.ts';

export const dataDoc = 'folder of images: DIR/train/CLASS and DIR/val/CLASS, or DIR/CLASS; or another dataset';

export const recipe = {
  data: text({
    required: true,
    expected: 'a folder of images',
    group: 'Images',
    doc: dataDoc,
  }),
  from: text({
    default: '',
    expected: 'a model',
    kept: true,
    flag: '--from <model>',
    group: 'Model',
    doc: 'pretrained model to start from, such as objects200: its network, preprocessing and weights',
  }),
  key: text({
    ...key,
    default: '',
    kept: true,
    doc: 'which network of a pretrained checkpoint to start from, such as teacher or model.ema',
  }),
  freeze: list(text({ expected: 'a name', doc: 'a parameter group' }), {
    default: [],
    flag: '--freeze <groups>',
    group: 'Model',
    doc: 'parameter groups to leave unchanged, separated by commas: stem, layer1, …, fc, or backbone for all but fc',
  }),
  linearProbe: flag({
    default: false,
    kept: true,
    flag: '--linear-probe',
    group: 'Model',
    doc: 'compute the features of each image once, then train only the classifier on them',
  }),
  variant: text({
    default: 'resnext50_32x4d',
    usual: 'chosen by the images and the speed of this machine',
    expected: 'the name of a variant',
    kept: true,
    settled: true,
    flag: '--variant <name>',
    group: 'Model',
    doc: 'network to train from scratch',
  }),
  form: oneOf(forms, { default: 'C', flag: '--form <form>', group: 'Model', doc: 'how blocks are built' }),
  shortcut: oneOf(shortcuts, {
    default: 'B',
    kept: true,
    settled: true,
    flag: '--shortcut <type>',
    group: 'Model',
    doc: 'shortcut where shapes change',
  }),
  size: whole({
    from: 0,
    default: 0,
    kept: true,
    flag: '--size <pixels>',
    usual: 'as in the pretrained model, chosen with the network, or the variant’s',
    group: 'Images',
    doc: 'height and width of the input',
  }),
  trainSize: list(whole({ from: 1, to: maxSide, doc: 'a size' }), {
    default: [],
    flag: '--train-size <pixels>',
    usual: 'the size of the input',
    group: 'Images',
    doc: 'height and width of training images; several, separated by commas, are used one after the other for equal parts of the epochs',
  }),
  resize: whole({
    from: 0,
    to: maxSide,
    default: 0,
    kept: true,
    flag: '--resize <pixels>',
    usual: 'as in the pretrained model, else the size with a cifar stem, or 8/7 of it',
    group: 'Images',
    doc: 'shorter side to resize images to before the center is cropped, in validation and for the saved model',
  }),
  interpolation: oneOf(['auto', ...interpolations], {
    default: 'auto',
    kept: true,
    flag: '--interpolation <kind>',
    usual: 'as in the pretrained model, else bilinear',
    group: 'Images',
    doc: 'how images are resized',
  }),
  inputChannels: oneOf([1, 3], {
    default: 3,
    kept: true,
    flag: '--input-channels <n>',
    usual: 'as in the pretrained model, else 3',
    group: 'Images',
    doc: 'channels of the images, 1 for grayscale or 3 for color; a pretrained model’s stem is adapted',
  }),
  zeroInitLast: flag({
    default: false,
    settled: true,
    flag: '--zero-init-last',
    group: 'Model',
    doc: 'start each block as its shortcut: initialize its last normalization to 0',
  }),
  recipe: text({
    default: '',
    expected: 'a recipe',
    kept: true,
    flag: '--recipe <recipe>',
    group: 'Run',
    doc: 'recipe to follow: a name that "resnext recipe" lists, or a file; other options override it',
  }),
  epochs: whole({
    from: 1,
    default: 30,
    usual: '30, or 10 to 80 by the number of images if the network is chosen',
    flag: '--epochs <n>',
    group: 'Run',
    doc: 'passes over the training images',
  }),
  bestBy: oneOf(['top1', 'loss', 'macroF1', 'balancedAccuracy'], {
    default: 'top1',
    kept: true,
    flag: '--best-by <figure>',
    group: 'Run',
    doc: 'validation figure that decides which epoch is the best',
  }),
  patience: whole({
    from: 0,
    default: 0,
    flag: '--patience <epochs>',
    usual: '0, which never ends it',
    group: 'Run',
    doc: 'epochs without improvement after which a run ends early',
  }),
  ...optimizationOptions,
  ...augmentationOptions,
  validation: real({
    from: 0,
    below: 1,
    default: 0.2,
    kept: true,
    flag: '--validation <share>',
    group: 'Images',
    doc: 'share of each class held out for validation if there is no val folder',
  }),
  fold,
  imageColumn: text({
    default: '',
    expected: 'the name of a column',
    kept: true,
    flag: '--image-column <name>',
    usual: 'by its name, such as path or image',
    group: 'Images',
    doc: 'column of a list or Parquet file with the images',
  }),
  labelColumn: text({
    default: '',
    expected: 'the name of a column',
    kept: true,
    flag: '--label-column <name>',
    usual: 'by its name, such as label or class',
    group: 'Images',
    doc: 'column of a list or Parquet file with the labels, or coarse for the coarse labels of CIFAR-100',
  }),
  seed: whole({
    from: 0,
    default: 1,
    kept: true,
    flag: '--seed <n>',
    group: 'Run',
    doc: 'seed of initial weights, split, order and augmentation',
  }),
};

export const settings = {
  out: text({
    required: true,
    expected: 'a folder for the results',
    flag: '--out <run>',
    group: 'Run',
    doc: 'folder for the results',
  }),
  overwrite: flag({
    default: false,
    flag: '--overwrite',
    group: 'Run',
    doc: 'replace a run or a model in that folder',
  }),
  threads: { ...threads, defaultOf: (): number => availableParallelism() },
  workers: { ...workers, defaultOf: () => Math.min(8, availableParallelism()) },
  maxMegapixels,
  cache: real({
    from: 0,
    defaultOf: defaultCache,
    flag: '--cache <MiB>',
    usual: 'a quarter of free memory, at most 1024',
    group: 'Machine',
    doc: 'memory for decoded images; 0 for none',
  }),
  checkpointEvery: real({
    from: 0,
    default: 60,
    flag: '--checkpoint-every <seconds>',
    group: 'Run',
    doc: 'time between checkpoints within an epoch',
  }),
  tensorboard: flag({
    default: false,
    flag: '--tensorboard',
    group: 'Run',
    doc: 'write event files for TensorBoard to RUN/tensorboard',
  }),
  strict: flag({
    default: false,
    flag: '--strict',
    group: 'Images',
    doc: 'stop at an image that cannot be read instead of skipping it',
  }),
  providers: list(text({ doc: 'a provider' }), {
    default: ['cpu'],
    group: 'Machine',
    doc: 'execution providers of ONNX Runtime, in order of preference',
  }),
};

export const trainOptions = { ...recipe, ...settings };

export type TrainOptions = OptionsOf<typeof trainOptions>;
export type Recipe = OptionsOf<typeof recipe>;

/** The options as they are given, with those of a recipe if there is one. */
export type GivenOptions = GivenOf<typeof trainOptions> & Pick<RateFactors, 'reference'>;

/** Factor on the learning rate of everything but the classifier. */
export function backboneRateOf({ from, learningRate, backboneLearningRate }: TrainOptions): number {
  if (backboneLearningRate !== undefined) return backboneLearningRate / learningRate;
  return from === '' ? 1 : 0.1;
}

/** The config of the network for a number of classes. */
export function trainConfig(options: Recipe, classes: number): ResNeXtConfig {
  const { form, shortcut, inputChannels, zeroInitLast, size } = options;
  const inputSize = size === 0 ? {} : { inputSize: size };
  return resolveConfig({
    ...variant(options.variant),
    form,
    shortcut,
    inputChannels,
    zeroInitLast,
    classes,
    ...inputSize,
  });
}
