/**
 * The transforms that vary training images. An augmentation is a list of steps by name: a crop, what it adds, `normalize`.
 * A variation is what changes in it by options of its own, such as how often images are mirrored.
 */
import { checkArgument, checkOptions, type FieldsOf } from '../arguments.ts';
import { didYouMean, meantName } from '../closest-name.ts';
import { either, type Kind, type OptionsOf, oneOf, real, resolve, text, whole } from '../options.ts';
import {
  centerView,
  channelSteps,
  type Images,
  normalize,
  type Preprocessing,
  preprocessingKind,
  usualAugmentation,
  usualFields,
} from './presets.ts';
import { erasingModes } from './transforms/erasing.ts';
import { probability, range } from './transforms/fields.ts';
import type { Transform, Transforms } from './transforms/table.ts';
import { isTimmPolicy, timmPolicyExample, wrongPart } from './transforms/timm-rand-augment.ts';

const group = 'Augmentation';
const cropScale = range('share of the area');

/** How training images are varied, whatever the augmentation. */
export const variationFields = {
  flip: {
    ...probability,
    default: 0.5,
    flag: '--flip <p>',
    group,
    doc: 'share of the images that are mirrored left and right; 0 for text and digits',
  },
  verticalFlip: {
    ...probability,
    default: 0,
    flag: '--vertical-flip <p>',
    group,
    doc: 'share of the images that are mirrored top and bottom',
  },
  rotation: real({
    from: 0,
    to: 180,
    default: 0,
    flag: '--rotation <degrees>',
    group,
    doc: 'largest angle of a random rotation, either way',
  }),
  sharpen: {
    ...probability,
    default: 0,
    flag: '--sharpen <p>',
    group,
    doc: 'share of the images that are sharpened',
  },
  blur: { ...probability, default: 0, flag: '--blur <p>', group, doc: 'share of the images that are blurred' },
  cropScale: {
    ...cropScale,
    default: [0.08, 1] as const,
    expected: 'a pair of increasing numbers above 0 and of at most 1',
    accepts: (value: unknown): value is readonly [number, number] => cropScale.accepts(value) && value[1] <= 1,
    flag: '--crop-scale <least,most>',
    group,
    doc: 'share of the image’s area that random-resized-crop takes',
  },
  erasing: {
    ...probability,
    default: 0,
    flag: '--erasing <p>',
    group,
    doc: 'share of the images in which random regions are erased',
  },
  erasingMode: oneOf(erasingModes, {
    default: 'const',
    flag: '--erasing-mode <mode>',
    group,
    doc: 'what erased regions become: the mean color, one random color, or random pixels',
  }),
  erasingCount: whole({
    from: 1,
    to: 100,
    default: 1,
    flag: '--erasing-count <n>',
    group,
    doc: 'largest number of regions to erase in an image',
  }),
};

/** `variationFields` as options: probabilities, degrees, and the range of a random crop's share of the area. */
export type Variation = OptionsOf<typeof variationFields>;

const usualVariation: Variation = resolve(variationFields, {});

/** The steps before `normalize` that crop and mirror. */
type Crop = (preprocessing: Preprocessing, variation: Variation) => Transform[];

const crops = {
  'pad-and-crop': (preprocessing, variation) => [
    ...centerView(preprocessing),
    { kind: 'pad-and-crop', size: preprocessing.size, padding: Math.round(preprocessing.size / 8) },
    ...turned(preprocessing, variation),
  ],
  'random-resized-crop': (preprocessing, variation) => [
    ...channelSteps(preprocessing),
    {
      kind: 'random-resized-crop',
      size: preprocessing.size,
      scale: variation.cropScale,
      ratio: [3 / 4, 4 / 3],
      interpolation: preprocessing.interpolation,
    },
    ...turned(preprocessing, variation),
  ],
} satisfies Readonly<Record<string, Crop>>;

/** Mirrored and rotated. */
const turned = (preprocessing: Preprocessing, { flip, verticalFlip, rotation }: Variation): Transform[] => [
  ...when(flip, { kind: 'flip', probability: flip }),
  ...when(verticalFlip, { kind: 'vertical-flip', probability: verticalFlip }),
  ...when(rotation, {
    ...frame(preprocessing),
    kind: 'random-rotation',
    degrees: rotation,
    interpolation: 'bilinear',
  }),
];

const when = (amount: number, step: Transform): Transform[] => (amount > 0 ? [step] : []);

/** Sharpened, blurred, normalized and erased. `normalized` are steps right after `normalize`. The regions are timm's. */
const finish = (
  preprocessing: Preprocessing,
  { sharpen, blur, erasing, erasingMode, erasingCount }: Variation,
  normalized: readonly Transform[] = [],
): Transform[] => [
  ...when(sharpen, { kind: 'random-sharpness', probability: sharpen, factor: [1, 3] }),
  ...when(blur, { kind: 'gaussian-blur', probability: blur, sigma: [0.1, 2] }),
  normalize(preprocessing),
  ...normalized,
  ...when(erasing, {
    kind: 'random-erasing',
    probability: erasing,
    scale: [0.02, 1 / 3],
    ratio: [0.3, 1 / 0.3],
    mode: erasingMode,
    maxCount: erasingCount,
  }),
];

const usualCrop = (preprocessing: Preprocessing, images: Images, variation: Variation): Transform[] =>
  crops[usualAugmentation[images]](preprocessing, variation);

/** As in torchvision: nearest pixels, black where there are none. */
const frame = ({ channels }: Preprocessing) =>
  ({ interpolation: 'nearest', fill: Array.from({ length: channels }, () => 0) }) as const;

type Steps = (preprocessing: Preprocessing, images: Images, variation?: Variation) => Transforms;

/** The augmentations for training, by name. All but the first two add to the one that is usual for the images. */
export const augmentations = {
  /** For small images: the center view, shifted by up to an eighth of its size (4 of 32 pixels), and mirrored half the time. */
  'pad-and-crop': (preprocessing, _, variation = usualVariation) => [
    ...crops['pad-and-crop'](preprocessing, variation),
    ...finish(preprocessing, variation),
  ],

  /** For large images: a crop of 8 to 100 % of the image, mirrored half the time. */
  'random-resized-crop': (preprocessing, _, variation = usualVariation) => [
    ...crops['random-resized-crop'](preprocessing, variation),
    ...finish(preprocessing, variation),
  ],

  /** Brightness, contrast and saturation by up to 40 %, and AlexNet's lighting: how ResNeXt's authors trained. */
  'color-jitter': (preprocessing, images, variation = usualVariation) => [
    ...usualCrop(preprocessing, images, variation),
    { kind: 'color-jitter', brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0 },
    ...finish(preprocessing, variation, lighting(preprocessing)),
  ],

  /** torchvision's RandAugment: two operations at magnitude 9 of 30. */
  'rand-augment': (preprocessing, images, variation = usualVariation) => [
    ...usualCrop(preprocessing, images, variation),
    { kind: 'rand-augment', operations: 2, magnitude: 9, bins: 31, ...frame(preprocessing) },
    ...finish(preprocessing, variation),
  ],

  /** timm's RandAugment, with the mean color where there are no pixels. */
  'timm-rand-augment': (preprocessing, images, variation = usualVariation) =>
    timmPolicy(timmPolicyExample, preprocessing, images, variation),

  /** TrivialAugment's wide space: one operation of any strength. */
  'trivial-augment': (preprocessing, images, variation = usualVariation) => [
    ...usualCrop(preprocessing, images, variation),
    { kind: 'trivial-augment', bins: 31, ...frame(preprocessing) },
    ...finish(preprocessing, variation),
  ],

  /** AutoAugment's policy for CIFAR-10 if images are small, otherwise for ImageNet. */
  'auto-augment': (preprocessing, images, variation = usualVariation) => [
    ...usualCrop(preprocessing, images, variation),
    { kind: 'auto-augment', policy: images === 'small' ? 'cifar10' : 'imagenet', ...frame(preprocessing) },
    ...finish(preprocessing, variation),
  ],
} satisfies Readonly<Record<string, Steps>>;

/** The name of a list of training transforms. */
export type Augmentation = keyof typeof augmentations;
export const augmentationNames = Object.keys(augmentations) as readonly Augmentation[];

/** A policy by the name that timm has for it. */
const timmPolicy = (policy: string, preprocessing: Preprocessing, images: Images, variation: Variation): Transforms => [
  ...usualCrop(preprocessing, images, variation),
  {
    kind: 'timm-rand-augment',
    policy,
    interpolation: 'random',
    fill: preprocessing.mean.map((mean) => Math.min(255, Math.max(0, Math.round(255 * mean)))),
  },
  ...finish(preprocessing, variation),
];

const isAugmentation = (value: unknown): value is Augmentation => augmentationNames.some((name) => name === value);

/** The name of an augmentation, or of a policy of timm such as `rand-m7-n2-mstd0.5-inc1`. */
export const augmentationKind: Kind<string> = {
  ...text({ doc: 'augmentation' }),
  expected: `${either(augmentationNames).replace(/ or /, ', ')}, or a policy of timm such as ${timmPolicyExample}`,
  accepts: (value): value is string => isAugmentation(value) || isTimmPolicy(value),
  advise: (value) => {
    if (typeof value !== 'string') return '';
    const wrong = wrongPart(value);
    return wrong === undefined
      ? didYouMean(meantName(value, augmentationNames))
      : ` Its part "${wrong}" is unknown or out of range.`;
  },
};

/** An augmentation and how else training images are varied. */
export interface TrainTransformOptions extends Partial<Variation> {
  /** Also a policy of timm, such as `rand-m7-n2-mstd0.5-inc1`. Default: the usual crop for the images. */
  readonly augmentation?: string;
}

const trainTransformFields: FieldsOf<TrainTransformOptions> = {
  augmentation: { ...augmentationKind, doc: 'augmentation' },
  ...variationFields,
};

/** The largest size of images that count as small unless a program says so. */
const maxSmallSize = 64;

/**
 * The transforms of an augmentation, with those of `preprocessing` that training needs too.
 *
 * @param options an augmentation, alone or among options.
 * @param images whether images are small, as CIFAR's, so that they are padded and cropped, or large, so that a part is
 *   resized. By default, those of up to 64 pixels are small.
 * @example trainTransforms(cifarPreprocessing, 'trivial-augment')
 * @example trainTransforms(imagenetPreprocessing, { augmentation: 'rand-m7-n2-mstd0.5-inc1', erasing: 0.25, flip: 0 })
 */
export function trainTransforms(
  preprocessing: Preprocessing,
  options: Augmentation | TrainTransformOptions,
  images: Images = preprocessing.size <= maxSmallSize ? 'small' : 'large',
): Transforms {
  checkArgument('preprocessing', preprocessing, preprocessingKind);
  const given = typeof options === 'string' ? { augmentation: options } : options;
  if (typeof options === 'string') checkArgument('augmentation', options, augmentationKind);
  else checkOptions(trainTransformFields, options);
  checkArgument('images', images, usualFields.images);
  const variation = resolve(variationFields, given);
  const { augmentation = usualAugmentation[images] } = given;
  if (isAugmentation(augmentation)) return augmentations[augmentation](preprocessing, images, variation);
  return timmPolicy(augmentation, preprocessing, images, variation);
}

/** The principal components are those of colors, so grayscale has none. */
const lighting = ({ channels, std }: Preprocessing): Transform[] =>
  channels === 3 ? [{ kind: 'lighting', deviation: 0.1, std }] : [];
