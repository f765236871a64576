import type { DownloadProgress } from '../hub/download.ts';
import type { Lowering } from '../step/lowering.ts';

/** The events of a training run, for a progress bar, a log or a chart. Percentages are 0 to 100. */
export type TrainEvent = StartEvent | FeaturesEvent | StepEvent | CorruptEvent | EpochEvent | EndEvent;

export interface TrainHooks {
  /** Called as the pretrained model is downloaded. */
  readonly onDownload?: (progress: DownloadProgress) => void;
  readonly onEvent?: (event: TrainEvent) => void;
  /**
   * When it aborts, the run ends after the step it is in and leaves a checkpoint; a download of the pretrained model ends
   * with the signal's reason as the error.
   */
  readonly signal?: AbortSignal;
}

export interface StartEvent {
  readonly event: 'start';
  readonly variant: string;
  readonly parameters: number;
  readonly macs: number;
  /** The pretrained model, the frozen parameter groups, and how many parameters are trained. */
  readonly from?: string;
  readonly frozen: readonly string[];
  readonly trained: number;
  /** Whether the classifier was replaced by an initial one; only at the start of a run from a pretrained model. */
  readonly newHead?: boolean;
  /**
   * Sentences on how the folder of images was understood and which files were skipped, and at the start of a run, on how
   * external weights were imported, unless they are published ones.
   */
  readonly notes?: readonly string[];
  /** Whether the classifier is trained on features that are computed once. */
  readonly linearProbe: boolean;
  readonly classes: readonly string[];
  /** Images to train on and to validate on. */
  readonly train: number;
  readonly validation: number;
  readonly epochs: number;
  /** Images per step. */
  readonly batch: number;
  readonly stepsPerEpoch: number;
  /** Where a resumed run goes on; 0 for a new one. */
  readonly epoch: number;
  readonly step: number;
  /** How the step is lowered, and why not to the CPU's own layout where that does not work. */
  readonly lowering: Lowering;
  readonly loweringReason?: string;
}

/** Progress of computing the features of a linear probe. */
export interface FeaturesEvent {
  readonly event: 'features';
  /** Images, out of those to train and to validate on. */
  readonly done: number;
  readonly total: number;
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
}

export interface StepEvent {
  readonly event: 'step';
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly stepsPerEpoch: number;
  /** Means over the epoch so far. */
  readonly loss: number;
  readonly top1: number;
  readonly learningRate: number;
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
}

/** An image that cannot be read and is skipped. */
export interface CorruptEvent {
  readonly event: 'corrupt';
  readonly path: string;
  readonly message: string;
}

/** The lines of `metrics.jsonl`. */
export interface EpochEvent {
  readonly event: 'epoch';
  readonly epoch: number;
  readonly epochs: number;
  readonly loss: number;
  readonly top1: number;
  /** On the validation images; absent where there are none. */
  readonly validation?: { readonly loss: number; readonly top1: number; readonly top5: number };
  /** The schedule's learning rate at the end of the epoch. */
  readonly learningRate: number;
  readonly seconds: number;
  readonly corrupt: number;
  /** Whether this epoch's model is the best so far and was saved. */
  readonly best: boolean;
}

export interface EndEvent {
  readonly event: 'end';
  readonly out: string;
  readonly interrupted: boolean;
  readonly epochs: number;
  /** Best top-1 on the validation images; absent where there are none. */
  readonly best?: number;
}
