import { callback, type FieldsOf, signalField } from '../arguments.ts';
import type { DownloadProgress } from '../hub/download.ts';
import type { Lowering } from '../step/lowering.ts';
import type { Choice } from './choose.ts';
import type { SweepPoint } from './learning-rates.ts';
import type { TrainOptions } from './options.ts';
import type { SizePart } from './sizes.ts';
import type { Score } from './training-data.ts';

/** The events of a training run, for a progress bar, a log or a chart. Percentages range from 0 to 100. */
export type TrainEvent =
  | StartEvent
  | FeaturesEvent
  | StepEvent
  | CorruptEvent
  | EpochEvent
  | EndEvent
  | SweepEvent
  | SuggestionEvent;

/** What a program wants to know of a run, and how it ends one. */
export interface TrainHooks {
  /** Called while the pretrained model is downloaded. */
  readonly onDownload?: (progress: DownloadProgress) => void;
  readonly onEvent?: (event: TrainEvent) => void;
  /**
   * When aborted, the run ends after the current step and saves a checkpoint. If the pretrained model is being downloaded,
   * the signal's reason is thrown.
   */
  readonly signal?: AbortSignal;
}

/** `TrainHooks` with their checks. */
export const hookFields: FieldsOf<TrainHooks> = {
  onDownload: callback('called with the progress of a download'),
  onEvent: callback('called with the events of a run'),
  signal: signalField,
};

export interface StartEvent {
  readonly event: 'start';
  readonly variant: string;
  readonly parameters: number;
  readonly macs: number;
  /** The pretrained model, the frozen parameter groups, and the number of trained parameters. */
  readonly from?: string;
  readonly frozen: readonly string[];
  readonly trained: number;
  /** Whether the classifier was replaced by a new one; only when a run starts from a pretrained model. */
  readonly newHead?: boolean;
  /**
   * Sentences on how the folder of images was understood and which files were skipped, and at the start of a run, on how
   * external weights were imported, unless they are published ones.
   */
  readonly notes?: readonly string[];
  /** Whether only the classifier is trained, on features that are computed once. */
  readonly linearProbe: boolean;
  readonly classes: readonly string[];
  /** How the network was chosen, if neither it nor a pretrained model was named. */
  readonly choice?: Choice;
  /** Number of training images of each class. */
  readonly trainPerClass: readonly number[];
  /** Numbers of training and validation images. */
  readonly train: number;
  readonly validation: number;
  /** The fold of the training images that are the validation images, such as `2/5`; absent without cross-validation. */
  readonly fold?: string;
  /** The sizes of training images, if they differ from those in validation, and the epochs of each. */
  readonly trainSizes?: readonly SizePart[];
  /** Height and width of images in validation. */
  readonly size: number;
  readonly epochs: number;
  /** The figure by which the best epoch is chosen, and the epochs without a better one after which the run ends. */
  readonly bestBy: TrainOptions['bestBy'];
  readonly patience: number;
  /** Images per step. */
  readonly batch: number;
  /** Parts of a batch that are computed at the same time. */
  readonly replicas: number;
  /** How many times as fast as one they were measured to be; absent if their number was given, or is 1. */
  readonly replicasSpeedup?: number;
  readonly stepsPerEpoch: number;
  /** Where a resumed run continues; 0 in a new one. */
  readonly epoch: number;
  readonly step: number;
  /** The best epoch so far, counted from 1; absent before the first. */
  readonly bestEpoch?: number;
  /** How the step is lowered, and if not to the CPU's blocked layout, why. */
  readonly lowering: Lowering;
  readonly loweringReason?: string;
}

/** Progress of computing the features of a linear probe. */
export interface FeaturesEvent {
  readonly event: 'features';
  /** Number of images done, of all training and validation images. */
  readonly done: number;
  readonly total: number;
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
}

export interface StepEvent {
  readonly event: 'step';
  /** Counted from 1. */
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

/** An image that cannot be read and was skipped. */
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
  /** Metrics on the validation images; absent if there are none. */
  readonly validation?: Score;
  /** Those of the weights themselves; only if an average is kept, which `validation` is of. */
  readonly rawValidation?: Score;
  /** The schedule's learning rate at the end of the epoch. */
  readonly learningRate: number;
  /** Time of the training steps; in the epoch in which a run is resumed, of those since then. */
  readonly seconds: number;
  /** Number of images of those steps; absent in lines of earlier versions. */
  readonly images?: number;
  readonly corrupt: number;
  /** Whether the model is the best so far, and was saved. */
  readonly best: boolean;
  /** By which figure; absent without validation images. */
  readonly bestBy?: TrainOptions['bestBy'];
}

export interface EndEvent {
  readonly event: 'end';
  readonly out: string;
  readonly interrupted: boolean;
  readonly epochs: number;
  /** Whether the run ended before its last epoch, since it had not improved for `patience` epochs. */
  readonly endedEarly: boolean;
  /** The best epoch, counted from 1, its figure on the validation images, and which one; absent if there are none. */
  readonly best?: number;
  readonly bestBy?: TrainOptions['bestBy'];
  readonly bestEpoch?: number;
}

/** A step of `findLearningRate`. */
export interface SweepEvent extends SweepPoint {
  readonly event: 'sweep';
  /** Counted from 1. */
  readonly step: number;
  /** At most. */
  readonly steps: number;
}

/** What `findLearningRate` found. */
export interface SuggestionEvent {
  readonly event: 'suggestion';
  /** The learning rate to try first, which is `valley`; absent if the loss falls at none. */
  readonly suggested?: number;
  /** In the middle of the longest valley of the loss. */
  readonly valley?: number;
  /** Where the loss falls fastest, which may be after it has risen. */
  readonly steepest?: number;
  /** Where the loss is lowest, which is too high a rate for a whole run. */
  readonly lowest?: number;
  /** A tenth of that, which fastai calls `minimum`. */
  readonly tenthOfLowest?: number;
  /** The learning rate that a run with these options has unless another is given. */
  readonly usual: number;
  /** The loss at each learning rate. */
  readonly curve: readonly SweepPoint[];
}
