/**
 * How torchvision turns the magnitude of a policy, one of several bins, into the number of an operation. Magnitudes are
 * float32, as there. Reference: torchvision.transforms.autoaugment, `_augmentation_space` and `_apply_op`.
 */
import { roundToEven } from './draw.ts';
import type { Applied, OperationName } from './operations.ts';

interface Frame {
  readonly width: number;
  readonly height: number;
}

/** The magnitudes of the last bin. */
export interface Limits {
  readonly shear: number;
  readonly degrees: number;
  /** Brightness, color, contrast and sharpness have factors of 1 ± this. */
  readonly factor: number;
  /** Bits that posterizing removes. */
  readonly bits: number;
  pixels(side: number): number;
}

/** RandAugment and AutoAugment. */
export const usualLimits: Limits = {
  shear: 0.3,
  degrees: 30,
  factor: 0.9,
  bits: 4,
  pixels: (side) => (150 / 331) * side,
};

/** TrivialAugment's wide space. */
export const wideLimits: Limits = { shear: 0.99, degrees: 135, factor: 0.99, bits: 6, pixels: () => 32 };

interface Magnitude {
  /** Half of the magnitudes are negated. */
  readonly signed: boolean;
  at(bin: number, bins: number, limits: Limits, frame: Frame): number;
  /** The operation's number. */
  value(magnitude: number): number;
}

const f32 = Math.fround;

/** torch.linspace in float32: the upper half is counted from its end, and products are not rounded. */
function linspace(from: number, to: number, bin: number, bins: number): number {
  const step = f32((f32(to) - f32(from)) / (bins - 1));
  return bin < bins / 2 ? f32(f32(from) + step * bin) : f32(f32(to) - step * (bins - 1 - bin));
}

const asIs = (magnitude: number): number => magnitude;

/** `top` is the magnitude of the last bin. */
const signed = (top: (limits: Limits, frame: Frame) => number, value: (magnitude: number) => number): Magnitude => ({
  signed: true,
  at: (bin, bins, limits, frame) => linspace(0, top(limits, frame), bin, bins),
  value,
});

const degree = Math.PI / 180;
/** By way of degrees, whose rounding interpolation can show. */
const slope = (magnitude: number): number => Math.tan(Math.atan(magnitude) * (180 / Math.PI) * degree);

const shear = signed(({ shear }) => shear, slope);
const factor = signed(
  ({ factor }) => factor,
  (magnitude) => 1 + magnitude,
);

/** Operations without an entry have no magnitude. */
const magnitudes: { readonly [N in OperationName]?: Magnitude } = {
  ShearX: shear,
  ShearY: shear,
  TranslateX: signed(({ pixels }, { width }) => pixels(width), Math.trunc),
  TranslateY: signed(({ pixels }, { height }) => pixels(height), Math.trunc),
  Rotate: signed(({ degrees }) => degrees, asIs),
  Brightness: factor,
  Color: factor,
  Contrast: factor,
  Sharpness: factor,
  Posterize: {
    signed: false,
    at: (bin, bins, { bits }) => 8 - roundToEven(f32(bin / f32((bins - 1) / bits))),
    value: asIs,
  },
  Solarize: { signed: false, at: (bin, bins) => linspace(255, 0, bin, bins), value: asIs },
};

export const hasMagnitude = (name: OperationName): boolean => magnitudes[name] !== undefined;
export const isSigned = (name: OperationName): boolean => magnitudes[name]?.signed ?? false;

/** An operation at a bin; `negative` if its magnitude is to be negated, where it has a sign. */
export function atBin(
  name: OperationName,
  bin: number,
  bins: number,
  negative: boolean,
  limits: Limits,
  frame: Frame,
): Applied {
  const magnitude = magnitudes[name];
  if (!magnitude) return { name, value: 0 };
  const size = magnitude.at(bin, bins, limits, frame);
  return { name, value: magnitude.value(negative && magnitude.signed ? -size : size) };
}
