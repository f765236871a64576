/** `resnext/train`: a training step as a graph, and a model in training. */

export { type StateSpec, type StepOptions, type TrainingStep, trainingStep } from '../train/step.ts';
export { Trainer, type TrainerOptions } from '../train/trainer.ts';
