/**
 * The contract of one kind of transform. A row states the options of its steps, whether a step is deterministic, the size
 * of its output, and how to apply it. The types of steps follow from the rows, so a new transform is one entry in the
 * table of its family, such as `geometry.ts`.
 *
 * There are three types of rows: from bytes to bytes (most), from bytes to normalized float32 (`normalize`), and on
 * float32 in place (steps after `normalize`).
 */
import type { Image } from '#platform/images';
import type { Kind } from '../../options.ts';
import type { Random } from '../random.ts';

/** The size of an image after some steps. */
export interface Size {
  /** Number of views made of the image. */
  readonly views: number;
  readonly channels: 1 | 3;
  /** Height and width; undefined if they depend on the image, or differ. */
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
  /** Whether a step always gives the same result for an image. It must not use random numbers then. */
  readonly deterministic: boolean;
  sizeAfter(before: Size, step: NoInfer<T>): Size;
  /** Why options contradict each other or do not fit the input, in a sentence; undefined if they are valid. */
  misfit?(before: Size, step: NoInfer<T>): string | undefined;
}

/** From bytes to bytes: one image or several views. Steps do not change their input. */
export interface ImageRow<T> extends Common<T> {
  readonly from: 'image';
  readonly to: 'image';
  apply(image: Image, step: NoInfer<T>, random: Random): Image | readonly Image[];
}

/** From bytes [H, W, C] to float32 [C, H, W]. */
export interface NormalizeRow<T> extends Common<T> {
  readonly from: 'image';
  readonly to: 'tensor';
  apply(image: Image, step: NoInfer<T>, out: Float32Array): void;
}

/** On float32 in place, without changing the shape. */
export interface TensorRow<T> extends Common<T> {
  readonly from: 'tensor';
  readonly to: 'tensor';
  apply(planes: Planes, step: NoInfer<T>, random: Random): void;
}

export type Row<T> = ImageRow<T> | NormalizeRow<T> | TensorRow<T>;

/** A row for steps from bytes to bytes. The types of its options follow from their entries. */
export const imageStep = <T>(row: Omit<ImageRow<T>, 'from' | 'to'>): ImageRow<T> => ({
  from: 'image',
  to: 'image',
  ...row,
});

/** A row for steps that change float32 values in place. */
export const tensorStep = <T>(row: Omit<TensorRow<T>, 'from' | 'to' | 'sizeAfter'>): TensorRow<T> => ({
  from: 'tensor',
  to: 'tensor',
  sizeAfter: (before) => before,
  ...row,
});
