/** `resnext/train` in Node. */

export type { Schedule } from '../train/schedule.ts';
export * from './train.ts';
