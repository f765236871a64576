/**
 * The operations that augmentation policies choose from, each on packed bytes with one number. They are Pillow's, to the bit;
 * the names are those of AutoAugment, torchvision and timm. Policies say how a magnitude becomes the number.
 */
import type { Image } from '#platform/images';
import { affine, rotate, type Sampling } from '../affine.ts';
import { gaussianBlur } from '../blur.ts';
import { brightness, contrast, saturation, sharpness } from '../enhance.ts';
import { autoContrast, equalize, invert, posterize, solarize, solarizeAdd } from '../levels.ts';

type Operation = (image: Image, value: number, sampling: Sampling) => Image;

export const operations = {
  Identity: (image) => image,
  /** Row y moves left by value · y pixels. */
  ShearX: (image, value, sampling) => affine(image, [1, value, 0, 0, 1, 0], sampling),
  /** Column x moves up by value · x pixels. */
  ShearY: (image, value, sampling) => affine(image, [1, 0, 0, value, 1, 0], sampling),
  /** Pixels to the right. */
  TranslateX: (image, value, sampling) => affine(image, [1, 0, -value, 0, 1, 0], sampling),
  /** Pixels down. */
  TranslateY: (image, value, sampling) => affine(image, [1, 0, 0, 0, 1, -value], sampling),
  /** Degrees counterclockwise. */
  Rotate: rotate,
  /** A factor, as for the next three; 1 changes nothing. */
  Brightness: brightness,
  Color: saturation,
  Contrast: contrast,
  Sharpness: sharpness,
  /** Bits to keep. */
  Posterize: posterize,
  /** The least byte to invert. */
  Solarize: solarize,
  /** What to add to dark bytes. */
  SolarizeAdd: solarizeAdd,
  AutoContrast: autoContrast,
  Equalize: equalize,
  Invert: invert,
  /** The standard deviation in pixels. */
  GaussianBlur: gaussianBlur,
} satisfies Readonly<Record<string, Operation>>;

export type OperationName = keyof typeof operations;

/** An operation with its number, as a policy draws it. */
export interface Applied {
  readonly name: OperationName;
  readonly value: number;
}

export const applyOperation = (image: Image, { name, value }: Applied, sampling: Sampling): Image => {
  const operation: Operation = operations[name];
  return operation(image, value, sampling);
};
