import type { DownloadProgress } from '../hub/download.ts';
import type { Lowering } from '../step/lowering.ts';

/** What a training run tells as it goes, for a progress bar, a log or a chart. Percentages are 0 to 100. */
export type TrainEvent = StartEvent | FeaturesEvent | StepEvent | CorruptEvent | EpochEvent | EndEvent;

export interface TrainHooks {
  /** Told how far the download of the model to start from is. */
  readonly onDownload?: (progress: DownloadProgress) => void;
  readonly onEvent?: (event: TrainEvent) => void;
  /** When it aborts, the run ends after the step it is in and leaves a checkpoint. */
  readonly signal?: AbortSignal;
}

export interface StartEvent {
  readonly event: 'start';
  readonly variant: string;
  readonly parameters: number;
  readonly macs: number;
  /** The model that training started from, its parts that stay as they are, and how many parameters are trained. */
  readonly from?: string;
  readonly frozen: readonly string[];
  readonly trained: number;
  /** Whether the classifier was replaced by an initial one; told at the start of a run from a model. */
  readonly newHead?: boolean;
  /** Sentences on how weights of others were taken, unless published ones; told at the start of a run from them. */
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
  /** How the step is lowered, and why not to the CPU's own layout where that was not to be had. */
  readonly lowering: Lowering;
  readonly loweringReason?: string;
}

/** How far the features of a linear probe are computed. */
export interface FeaturesEvent {
  readonly event: 'features';
  /** Images, of those to train and to validate on. */
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

/** An image that cannot be read and is left out. */
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
  /** Where the schedule stands at the epoch's end. */
  readonly learningRate: number;
  readonly seconds: number;
  readonly corrupt: number;
  /** Whether this epoch's model is the best so far, and so is the saved one. */
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
