/**
 * The table of all kinds of transforms, and the types of their steps, which follow from its rows. A step is plain JSON: its
 * kind and the options of its row.
 */
import { channels } from './channels.ts';
import { color } from './color.ts';
import { erasing } from './erasing.ts';
import { geometry } from './geometry.ts';
import { normalization } from './normalize.ts';
import { policies } from './policies.ts';
import type { Row } from './row.ts';
import { views } from './views.ts';

const rows = { ...geometry, ...color, ...policies, ...channels, ...views, ...normalization, ...erasing };

/** The name of a transform. */
export type TransformKind = keyof typeof rows;

type Options<K extends TransformKind> = Parameters<(typeof rows)[K]['sizeAfter']>[1];

/**
 * One step of any kind, or of the kind `K`: the kind and its options.
 *
 * @example
 * const steps: Transform[] = [
 *   { kind: 'resize', size: 256, interpolation: 'bicubic' }, // the shorter side
 *   { kind: 'center-crop', size: 224 },
 *   { kind: 'normalize', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
 * ];
 */
export type Transform<K extends TransformKind = TransformKind> = {
  readonly [P in K]: { readonly kind: P } & Readonly<Options<P>>;
}[K];

/** The steps from a decoded image to the network's input. One of them is `normalize`. */
export type Transforms = readonly Transform[];

/** All kinds of transforms: their options, output size, determinism and implementation. */
export const transforms: { readonly [K in TransformKind]: Row<Options<K>> } = rows;

export const rowOf = <K extends TransformKind>({ kind }: { readonly kind: K }): Row<Options<K>> => transforms[kind];
