/**
 * The preprocessing that a model expects. `Preprocessing` is saved in model.json, and the transforms for evaluation and
 * training (`augmentations.ts`) follow from it. The statistics for ImageNet are the usual ones; those for CIFAR-10 are from
 * the authors' ResNeXt code, which gives them in units of bytes.
 */
import { checkArgument, checkOptions, type FieldsOf, hasAll, kind } from '../arguments.ts';
import { list, type OptionsOf, oneOf, real, whole } from '../options.ts';
import { interpolations } from './resize.ts';
import type { Transform, Transforms } from './transforms/table.ts';
import { type MultiCropViews, multiCropViews } from './transforms/views.ts';

export const preprocessingFields = {
  channels: oneOf([1, 3], { required: true, doc: '3 for RGB, 1 for grayscale' }),
  size: whole({ from: 1, required: true, doc: 'height and width of the network’s input' }),
  resize: whole({ from: 1, required: true, doc: 'length of the shorter side before the center is cropped' }),
  interpolation: oneOf(interpolations, { required: true, doc: 'how images are resized' }),
  mean: list(real({ doc: 'the mean of a channel' }), {
    required: true,
    doc: 'one number per channel, with bytes scaled to [0, 1]',
  }),
  std: list(real({ above: 0, doc: 'the standard deviation of a channel' }), {
    required: true,
    doc: 'one number per channel, with bytes scaled to [0, 1]',
  }),
};

/** How images are prepared for a network, as saved in `model.json`. */
export interface Preprocessing extends OptionsOf<typeof preprocessingFields> {}

/** The preprocessing of ImageNet's images: the center 224 of 256 pixels. */
export const imagenetPreprocessing: Preprocessing = {
  channels: 3,
  size: 224,
  resize: 256,
  interpolation: 'bilinear',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

const bytes = (...values: number[]): number[] => values.map((value) => value / 255);

/** The preprocessing of CIFAR's images: all 32 pixels. */
export const cifarPreprocessing: Preprocessing = {
  channels: 3,
  size: 32,
  resize: 32,
  interpolation: 'bilinear',
  mean: bytes(125.3, 123.0, 113.9),
  std: bytes(63.0, 62.1, 66.7),
};

const usualPreprocessing = { small: cifarPreprocessing, large: imagenetPreprocessing } as const;

/** The default augmentation, by the images that the network's stem is meant for. */
export const usualAugmentation = { small: 'pad-and-crop', large: 'random-resized-crop' } as const;

interface UsualOptions {
  readonly images: 'small' | 'large';
  readonly size: number;
  readonly channels?: 1 | 3;
}

export const usualFields: FieldsOf<UsualOptions> = {
  images: oneOf(['small', 'large'], { required: true, doc: 'the images that a stem is meant for' }),
  size: whole({ from: 1, required: true, doc: 'height and width of the input' }),
  channels: oneOf([1, 3], { doc: 'grayscale or color' }),
};

/** Preprocessing, as an argument. */
export const preprocessingKind = kind('a preprocessing, such as imagenetPreprocessing', (value) =>
  hasAll(value, ...Object.keys(preprocessingFields)),
);

/**
 * The usual preprocessing for a new model, by the images that its stem is meant for: small images are used whole, large
 * ones lose an eighth of the shorter side. For grayscale, the mean is that of luma, and the standard deviation, which is
 * close to it, the mean over the color channels.
 *
 * @example preprocessingFor({ images: 'large', size: 160 }) // shorter side to 183, the middle 160 x 160
 */
export function preprocessingFor(options: UsualOptions): Preprocessing {
  checkOptions(usualFields, options);
  const { images, size, channels = 3 } = options;
  return forChannels(atSize(usualPreprocessing[images], size), channels);
}

/** The preprocessing for another size, with the same share of the image cropped. */
export const atSize = (preprocessing: Preprocessing, size: number): Preprocessing => ({
  ...preprocessing,
  size,
  resize: Math.round((size * preprocessing.resize) / preprocessing.size),
});

/** The preprocessing for grayscale or color. Grayscale gets the statistics of luma; each color gets those of grayscale. */
export function forChannels(preprocessing: Preprocessing, channels: 1 | 3): Preprocessing {
  const { mean, std } = preprocessing;
  if (channels === preprocessing.channels) return preprocessing;
  if (channels === 1) {
    return { ...preprocessing, channels, mean: [weigh(mean, luma)], std: [weigh(std, [1 / 3, 1 / 3, 1 / 3])] };
  }
  return { ...preprocessing, channels, mean: [...mean, ...mean, ...mean], std: [...std, ...std, ...std] };
}

/** The weights of red, green and blue in luma (ITU-R 601), as in Pillow. */
export const luma: readonly number[] = [0.299, 0.587, 0.114];

const weigh = (values: readonly number[], weights: readonly number[]): number =>
  values.reduce((sum, value, c) => sum + value * weights[c]!, 0);

/**
 * The views of an image that a model sees: the center crop, the center crop and its mirror image, or the authors' ten
 * crops. The logits of several views are averaged.
 */
export type Views = 'center' | MultiCropViews;
export const viewNames: readonly Views[] = ['center', ...multiCropViews];
export const viewsField = oneOf(viewNames, { doc: 'views of an image' });

/**
 * Deterministic transforms: resize the shorter side to `resize`, crop one or several views of `size` × `size`, normalize.
 *
 * @example evaluationTransforms(imagenetPreprocessing) // [C, H, W], or [10·C, H, W] with 'ten-crop'
 */
export function evaluationTransforms(preprocessing: Preprocessing, views: Views = 'center'): Transforms {
  checkArgument('preprocessing', preprocessing, preprocessingKind);
  checkArgument('views', views, viewsField);
  const { size } = preprocessing;
  if (views === 'center') return [...centerView(preprocessing), normalize(preprocessing)];
  return [...resized(preprocessing), { kind: 'multi-crop', views, size }, normalize(preprocessing)];
}

/** Which images a network is meant for. It decides how augmentations crop. */
export type Images = keyof typeof usualAugmentation;

export const channelSteps = ({ channels }: Preprocessing): Transform[] =>
  channels === 1 ? [{ kind: 'grayscale' }] : [];

const resized = (preprocessing: Preprocessing): Transform[] => [
  ...channelSteps(preprocessing),
  { kind: 'resize', size: preprocessing.resize, interpolation: preprocessing.interpolation },
];

export const centerView = (preprocessing: Preprocessing): Transform[] => [
  ...resized(preprocessing),
  { kind: 'center-crop', size: preprocessing.size },
];

export const normalize = ({ mean, std }: Preprocessing): Transform<'normalize'> => ({ kind: 'normalize', mean, std });
