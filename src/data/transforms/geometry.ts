/**
 * Steps that resize, crop, mirror and rotate. They match torchvision's on PIL images to the pixel: the rounding of sides, the
 * position of a center crop, and the distribution of random crops. Reference: torchvision.transforms.
 */

import type { Image } from '#platform/images';
import { FormatError } from '../../errors.ts';
import { real, whole } from '../../options.ts';
import { rotate } from '../affine.ts';
import { crop, flipRows, mirror, type Region } from '../pixels.ts';
import type { Random } from '../random.ts';
import { type Interpolation, resample } from '../resize.ts';
import { between, logBetween, roundToEven } from './draw.ts';
import { fillMisfit, frame, interpolation, probability, range, size } from './fields.ts';
import { imageStep, type Size } from './row.ts';

const toSquare = (before: Size, { size }: { readonly size: number }): Size => ({ ...before, size });

export const geometry = {
  /** Resizes the shorter side to `size`, and the longer one in proportion, rounded down. */
  resize: imageStep({
    options: { size: whole({ from: 1, doc: 'length of the shorter side' }), interpolation },
    deterministic: true,
    sizeAfter: (before) => ({ ...before, size: undefined }),
    apply: (image, { size, interpolation }) => resizeShorterSide(image, size, interpolation),
  }),

  /** Crops the center `size` × `size` pixels, with zeros around a smaller image. */
  'center-crop': imageStep({
    options: { size },
    deterministic: true,
    sizeAfter: toSquare,
    apply: (image, { size }) => cropCenter(image, size),
  }),

  /** Crops a random area (`scale`, a fraction) of random aspect (`ratio`, width / height), and resizes it to `size` × `size`. */
  'random-resized-crop': imageStep({
    options: { size, scale: range('share of the area'), ratio: range('width / height'), interpolation },
    deterministic: false,
    sizeAfter: toSquare,
    apply: (image, { size, scale, ratio, interpolation }, random) =>
      resample(image, size, size, interpolation, drawRegion(image, scale, ratio, random)),
  }),

  /** Pads each side with `padding` zeros, then crops a random window of `size` × `size`. A smaller image is centered. */
  'pad-and-crop': imageStep({
    options: { size, padding: whole({ from: 0, doc: 'zeros added on each side' }) },
    deterministic: false,
    sizeAfter: toSquare,
    apply: (image, { size, padding }, random) => padAndCrop(image, size, padding, random),
  }),

  /** Mirrors left and right with this probability. */
  flip: imageStep({
    options: { probability },
    deterministic: false,
    sizeAfter: (before) => before,
    apply: (image, step, random) => (random.float() < step.probability ? mirror(image) : image),
  }),

  /** Mirrors top and bottom with this probability. */
  'vertical-flip': imageStep({
    options: { probability },
    deterministic: false,
    sizeAfter: (before) => before,
    apply: (image, step, random) => (random.float() < step.probability ? flipRows(image) : image),
  }),

  /** Rotates about the center by a random angle of up to `degrees` either way, and keeps the frame. */
  'random-rotation': imageStep({
    options: { degrees: real({ above: 0, to: 180, doc: 'largest angle' }), ...frame },
    deterministic: false,
    sizeAfter: (before) => before,
    misfit: fillMisfit,
    apply: (image, { degrees, interpolation, fill }, random) =>
      rotate(image, between(random, [-degrees, degrees]), { interpolation, fill }),
  }),
};

/** An image of 1 × 16000 pixels is small, but not after resizing its shorter side to 256. */
const maxPixels = 2 ** 26;

function resizeShorterSide(image: Image, size: number, interpolation: Interpolation): Image {
  const { width, height } = image;
  const longer = Math.trunc((size * Math.max(width, height)) / Math.min(width, height));
  const [w, h] = width <= height ? [size, longer] : [longer, size];
  if (w * h > maxPixels) {
    throw new FormatError(
      `An image of ${width} × ${height} pixels is too narrow to resize: it would become ${w} × ${h} pixels.`,
    );
  }
  return w === width && h === height ? image : resample(image, w, h, interpolation);
}

/** An odd pixel of a larger image is rounded to even; an odd zero around a smaller one is on its right or below. */
export function cropCenter(image: Image, size: number): Image {
  const start = (side: number) => (side < size ? -Math.floor((size - side) / 2) : roundToEven((side - size) / 2));
  return crop(image, { left: start(image.width), top: start(image.height), width: size, height: size });
}

/** Tries ten times to draw an area and an aspect that fit, then takes the largest centered region with a valid aspect. */
function drawRegion(
  { width, height }: Image,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  random: Random,
): Region {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * between(random, scale);
    const aspect = logBetween(random, ratio);
    const w = roundToEven(Math.sqrt(area * aspect));
    const h = roundToEven(Math.sqrt(area / aspect));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      const top = random.int(0, height - h + 1);
      return { top, left: random.int(0, width - w + 1), width: w, height: h };
    }
  }
  const aspect = width / height;
  const w = aspect > ratio[1] ? Math.max(1, roundToEven(height * ratio[1])) : width;
  const h = aspect < ratio[0] ? Math.max(1, roundToEven(width / ratio[0])) : height;
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}

function padAndCrop(image: Image, size: number, padding: number, random: Random): Image {
  const draw = (side: number) => {
    const room = side + 2 * padding - size;
    return (room < 0 ? Math.ceil(room / 2) : random.int(0, room + 1)) - padding;
  };
  const top = draw(image.height);
  return crop(image, { top, left: draw(image.width), width: size, height: size });
}
