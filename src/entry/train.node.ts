/** `resnext/train` in Node. */

export type { Schedule } from '../train/schedule.ts';
export { Trainer, type TrainerOptions } from '../train/trainer.ts';
export * from './train.ts';
