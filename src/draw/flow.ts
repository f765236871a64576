/** The parts of a block in a drawing: layers in sequence, or branches side by side. */

/** A part that is drawn as a box. */
export interface Layer {
  readonly kind: 'layer';
  /** `['128, 3x3, 128', 'group = 32']` */
  readonly lines: readonly string[];
  /** Groups of a convolution, otherwise 1. */
  readonly groups: number;
  readonly convolution: boolean;
}

/** A small note on a layer or a join: `BN`, `ReLU`. */
export interface Tag {
  readonly kind: 'tag';
  readonly text: string;
}

/** Branches that start at one value and meet at one node. */
export interface Parallel {
  readonly kind: 'parallel';
  readonly branches: readonly Flow[];
  /** `+`, `×`, `concatenate`, or an operator's name. */
  readonly join: string;
}

export type Part = Layer | Tag | Parallel;
export type Flow = readonly Part[];
