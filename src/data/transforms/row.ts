/**
 * The contract of one kind of transform. A row states the options of its steps and the values of each, whether a step does
 * the same to an image every time, which size it leaves, and what it does. The types of steps follow from the rows, so a
 * new augmentation is one entry in the table of its family, such as `geometry.ts`.
 *
 * Rows differ in what their steps read and write: bytes to bytes (most), bytes to normalized float32 (`normalize`), or
 * float32 in place (what comes after `normalize`).
 */
import type { Image } from '#platform/images';
import type { Kind } from '../../options.ts';
import type { Random } from '../random.ts';

/** What the image of a sample has become after some steps. */
export interface Size {
  /** Images made of one. */
  readonly views: number;
  readonly channels: 1 | 3;
  /** Height and width; undefined where images may differ in them, or are not square. */
  readonly size: number | undefined;
}

/** One normalized image. */
export interface Planes {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array; // [C, H, W]
}

/** `T` is the type of a step's options. */
interface Common<T> {
  readonly options: { readonly [O in keyof T]: Kind<T[O]> };
  /** Whether a step does the same to an image every time. Then it never asks for a random number. */
  readonly deterministic: boolean;
  sizeAfter(before: Size, step: NoInfer<T>): Size;
  /** A sentence on options that do not fit each other, or the images that come in; undefined where all is well. */
  misfit?(before: Size, step: NoInfer<T>): string | undefined;
}

/** Bytes to bytes, one image or several. The image that comes in stays as it is. */
export interface ImageRow<T> extends Common<T> {
  readonly from: 'image';
  readonly to: 'image';
  apply(image: Image, step: NoInfer<T>, random: Random): Image | readonly Image[];
}

/** Bytes [H, W, C] to float32 [C, H, W]. */
export interface NormalizeRow<T> extends Common<T> {
  readonly from: 'image';
  readonly to: 'tensor';
  apply(image: Image, step: NoInfer<T>, out: Float32Array): void;
}

/** Float32 in place: the shape stays. */
export interface TensorRow<T> extends Common<T> {
  readonly from: 'tensor';
  readonly to: 'tensor';
  apply(planes: Planes, step: NoInfer<T>, random: Random): void;
}

export type Row<T> = ImageRow<T> | NormalizeRow<T> | TensorRow<T>;

/** A row of a step from bytes to bytes; the types of its options follow from their entries. */
export const imageStep = <T>(row: Omit<ImageRow<T>, 'from' | 'to'>): ImageRow<T> => ({
  from: 'image',
  to: 'image',
  ...row,
});

/** A row of a step that changes float32 values in place. */
export const tensorStep = <T>(row: Omit<TensorRow<T>, 'from' | 'to' | 'sizeAfter'>): TensorRow<T> => ({
  from: 'tensor',
  to: 'tensor',
  sizeAfter: (before) => before,
  ...row,
});
