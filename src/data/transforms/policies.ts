/**
 * Policies that choose among the operations of `operations.ts`: RandAugment (Cubuk et al., 2019) as torchvision and as timm
 * have it, TrivialAugment (Müller and Hutter, 2021) and AutoAugment (Cubuk et al., 2018) as torchvision has them. They draw
 * their numbers in torchvision's order.
 */
import type { Image } from '#platform/images';
import { oneOf, text, whole } from '../../options.ts';
import { type AffineInterpolation, affineInterpolations } from '../affine.ts';
import type { Random } from '../random.ts';
import { autoAugmentPolicies, autoAugmentPolicyNames } from './auto-augment.ts';
import { fillMisfit, frame } from './fields.ts';
import { atBin, hasMagnitude, isSigned, usualLimits, wideLimits } from './magnitudes.ts';
import { type Applied, applyOperation, type OperationName } from './operations.ts';
import { imageStep, type Size } from './row.ts';
import { drawTimm, isTimmPolicy, timmPolicyExample } from './timm-rand-augment.ts';

interface FrameOptions {
  readonly interpolation: AffineInterpolation | 'random';
  readonly fill: readonly number[];
}

const bins = whole({ from: 2, doc: 'number of magnitudes' });
const unchanged = (before: Size): Size => before;

/** The operations of RandAugment and TrivialAugment in torchvision. */
const choices: readonly OperationName[] = [
  'Identity',
  'ShearX',
  'ShearY',
  'TranslateX',
  'TranslateY',
  'Rotate',
  'Brightness',
  'Color',
  'Contrast',
  'Sharpness',
  'Posterize',
  'Solarize',
  'AutoContrast',
  'Equalize',
];

export const policies = {
  /** torchvision's RandAugment: `operations` random ones in turn, all at bin `magnitude` of `bins`. */
  'rand-augment': imageStep({
    options: {
      operations: whole({ from: 1, to: 100, doc: 'number of operations' }),
      magnitude: whole({ from: 0, doc: 'index of the bin' }),
      bins,
      ...frame,
    },
    deterministic: false,
    sizeAfter: unchanged,
    misfit: (before, step) => {
      if (step.magnitude < step.bins) return fillMisfit(before, step);
      return `magnitude is ${step.magnitude}, but has to be less than bins, ${step.bins}.`;
    },
    apply: (image, step, random) => {
      const drawn = Array.from({ length: step.operations }, () => {
        const name = choices[random.int(0, choices.length)]!;
        const negative = isSigned(name) && random.int(0, 2) === 1;
        return atBin(name, step.magnitude, step.bins, negative, usualLimits, image);
      });
      return applyAll(image, drawn, step, random);
    },
  }),

  /** timm's RandAugment or 3-Augment, by its own name: `rand-m9-n2-mstd0.5-inc1`, `3a`. */
  'timm-rand-augment': imageStep({
    options: {
      policy: {
        ...text({ doc: 'timm’s name of the policy', expected: `a policy of timm such as ${timmPolicyExample}` }),
        accepts: isTimmPolicy,
      },
      ...frame,
      interpolation: oneOf([...affineInterpolations, 'random'], {
        doc: 'how the frame is interpolated; random is bilinear or bicubic',
      }),
    },
    deterministic: false,
    sizeAfter: unchanged,
    misfit: fillMisfit,
    apply: (image, step, random) => applyAll(image, drawTimm(step.policy, image, random), step, random),
  }),

  /** TrivialAugment's wide space: one random operation at a random bin. */
  'trivial-augment': imageStep({
    options: { bins, ...frame },
    deterministic: false,
    sizeAfter: unchanged,
    misfit: fillMisfit,
    apply: (image, step, random) => {
      const name = choices[random.int(0, choices.length)]!;
      const bin = hasMagnitude(name) ? random.int(0, step.bins) : 0;
      const negative = isSigned(name) && random.int(0, 2) === 1;
      return applyAll(image, [atBin(name, bin, step.bins, negative, wideLimits, image)], step, random);
    },
  }),

  /** AutoAugment: one of the 25 pairs that a search found on a dataset, each operation with its own probability. */
  'auto-augment': imageStep({
    options: { policy: oneOf(autoAugmentPolicyNames, { doc: 'dataset of the policy' }), ...frame },
    deterministic: false,
    sizeAfter: unchanged,
    misfit: fillMisfit,
    apply: (image, step, random) => {
      const pairs = autoAugmentPolicies[step.policy];
      const pair = pairs[random.int(0, pairs.length)]!;
      const draws = pair.map(() => random.float());
      const signs = pair.map(() => random.int(0, 2));
      const drawn = pair.flatMap(([name, probability, bin], i) =>
        draws[i]! <= probability ? [atBin(name, bin, 10, signs[i] === 0, usualLimits, image)] : [],
      );
      return applyAll(image, drawn, step, random);
    },
  }),
};

function applyAll(
  image: Image,
  drawn: readonly Applied[],
  { interpolation, fill }: FrameOptions,
  random: Random,
): Image {
  const chosen = () =>
    interpolation === 'random' ? (['bilinear', 'bicubic'] as const)[random.int(0, 2)]! : interpolation;
  return drawn.reduce((current, each) => applyOperation(current, each, { interpolation: chosen(), fill }), image);
}
