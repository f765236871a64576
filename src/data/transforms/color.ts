/** Random changes of color: torchvision's ColorJitter and RandomAdjustSharpness, AlexNet's lighting, and Gaussian blur. */

import type { Image } from '#platform/images';
import { list, real } from '../../options.ts';
import { gaussianBlur } from '../blur.ts';
import { brightness, contrast, hue, saturation, sharpness } from '../enhance.ts';
import type { Random } from '../random.ts';
import { between, normals } from './draw.ts';
import { probability, range } from './fields.ts';
import { imageStep, tensorStep } from './row.ts';

const spread = (what: string) => real({ from: 0, doc: `the ${what} gets a factor of 1 ± this` });

/** Each adjustment of a jitter, with the number for its strength. */
const factorBetween = (strength: number, random: Random): number =>
  between(random, [Math.max(0, 1 - strength), 1 + strength]);
const adjustments = {
  brightness: { draw: factorBetween, apply: brightness },
  contrast: { draw: factorBetween, apply: contrast },
  saturation: { draw: factorBetween, apply: saturation },
  hue: { draw: (strength: number, random: Random) => between(random, [-strength, strength]), apply: hue },
} satisfies Readonly<
  Record<string, { draw(strength: number, random: Random): number; apply(image: Image, value: number): Image }>
>;
const names = Object.keys(adjustments) as (keyof typeof adjustments)[];

/** Principal components of the colors of ImageNet's training images, in [0, 1]: AlexNet's, as in fb.resnet.torch. */
const eigenvalues = [0.2175, 0.0188, 0.0045] as const;
const eigenvectors = [
  [-0.5675, 0.7192, 0.4009],
  [-0.5808, -0.0045, -0.814],
  [-0.5836, -0.6948, 0.4203],
] as const;

export const color = {
  /** Changes brightness, contrast, saturation and hue by random factors in a random order. */
  'color-jitter': imageStep({
    options: {
      brightness: spread('brightness'),
      contrast: spread('contrast'),
      saturation: spread('saturation'),
      hue: real({ from: 0, to: 0.5, doc: 'the hue turns by ± this share of the circle' }),
    },
    deterministic: false,
    sizeAfter: (before) => before,
    apply: (image, step, random) => {
      const drawn = names
        .filter((name) => step[name] > 0)
        .map((name) => ({ name, value: adjustments[name].draw(step[name], random), place: random.float() }));
      drawn.sort((a, b) => a.place - b.place);
      return drawn.reduce((current, { name, value }) => adjustments[name].apply(current, value), image);
    },
  }),

  /** Sharpens with this probability, as torchvision's RandomAdjustSharpness. `factor` is a range: 1 changes nothing. */
  'random-sharpness': imageStep({
    options: { probability, factor: range('factor') },
    deterministic: false,
    sizeAfter: (before) => before,
    apply: (image, step, random) =>
      random.float() < step.probability ? sharpness(image, between(random, step.factor)) : image,
  }),

  /** Blurs with this probability. `sigma` is the range of the standard deviation in pixels. */
  'gaussian-blur': imageStep({
    options: { probability, sigma: range('standard deviation in pixels') },
    deterministic: false,
    sizeAfter: (before) => before,
    apply: (image, step, random) =>
      random.float() < step.probability ? gaussianBlur(image, between(random, step.sigma)) : image,
  }),

  /**
   * Adds the principal components of ImageNet's colors, each by a normal random amount, to the whole image. It comes after
   * `normalize`, so that colors may leave the range of bytes. Reference: Krizhevsky et al., "ImageNet Classification with
   * Deep Convolutional Neural Networks" (2012), section 4.1.
   */
  lighting: tensorStep({
    options: {
      deviation: real({ from: 0, doc: 'standard deviation of the amounts' }),
      std: list(real({ above: 0, doc: 'standard deviation of a channel' }), {
        nonEmpty: true,
        doc: 'the same as in normalize',
      }),
    },
    deterministic: false,
    misfit: ({ channels }, { std }) => {
      if (channels !== 3) return 'works on color images, but these are grayscale.';
      return std.length === 3 ? undefined : `std has ${std.length} values, but the images have 3 channels.`;
    },
    apply: ({ data, channels }, step, random) => {
      const amounts = normals(random, 3, step.deviation);
      const plane = data.length / channels;
      for (let c = 0; c < channels; c++) {
        const shift = eigenvectors[c]!.reduce((sum, entry, k) => sum + entry * amounts[k]! * eigenvalues[k]!, 0);
        for (let i = c * plane; i < (c + 1) * plane; i++) data[i]! += shift / step.std[c]!;
      }
    },
  }),
};
