/** What a block is made of, as a drawing shows it: layers one after the other, or branches side by side. */

/** Something that is worth a box. */
export interface Layer {
  readonly kind: 'layer';
  /** `['128, 3x3, 128', 'group = 32']` */
  readonly lines: readonly string[];
  /** Groups of a convolution, else 1. */
  readonly groups: number;
  readonly convolution: boolean;
}

/** Something small that belongs to a layer or a join: `BN`, `ReLU`. */
export interface Tag {
  readonly kind: 'tag';
  readonly text: string;
}

/** Branches that start at one value and meet in one node. */
export interface Parallel {
  readonly kind: 'parallel';
  readonly branches: readonly Flow[];
  /** `+`, `×`, `concatenate`, or an operator's name. */
  readonly join: string;
}

export type Part = Layer | Tag | Parallel;
export type Flow = readonly Part[];
