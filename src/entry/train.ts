/**
 * The training step as a graph, its losses and optimizers, and a model in training.
 *
 * @module resnext/train
 */

export { type Loss, lossNames } from '../step/losses.ts';
export { drawMask, type Mask } from '../step/masks.ts';
export {
  type Optimizer,
  type OptimizerName,
  type OptimizerSettings,
  optimizerNames,
  optimizerOf,
} from '../step/optimizers.ts';
export type { Schedule } from '../step/schedule.ts';
export type { StateSpec } from '../step/state.ts';
export { type StepOptions, type TrainingStep, trainingStep } from '../step/step.ts';
export { Trainer, type TrainerOptions, type TrainerState } from '../step/trainer.ts';
