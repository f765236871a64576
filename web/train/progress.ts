/** What has come out of a training so far. */

/** One pass over the pictures. */
export interface Epoch {
  /** The classifier alone, or the whole network. */
  readonly phase: 'probe' | 'whole';
  /** Mean loss in training. */
  readonly loss: number;
  /** On the pictures that were held out, if any were. */
  readonly heldOut?: { readonly loss: number; readonly top1: number };
}

/** What the model says about a picture that was held out. Classes are indices. */
export interface Prediction {
  readonly id: number;
  readonly label: number;
  readonly predicted: number;
  readonly probability: number;
}

export interface Progress {
  /** The ids of the classes, in the order of the outputs. */
  readonly classes: readonly number[];
  readonly history: readonly Epoch[];
  /** The epoch with the best model, which is the one that is kept; without pictures held out, the last. */
  readonly best: { readonly epoch: number; readonly predictions: readonly Prediction[] } | undefined;
}

export const noProgress: Progress = { classes: [], history: [], best: undefined };
