/**
 * Which epoch of a run is its best, whose weights are saved as the model, and when a run without improvement ends. Both
 * depend on the progress alone, so that a resumed run decides as one without interruption.
 */
import { OptionError } from '../options.ts';
import { type TrainOptions, trainOptions } from './options.ts';
import type { Progress } from './progress.ts';
import type { Score } from './training-data.ts';

/** Whether this validation is better than that of the best epoch so far. Without validation images, each epoch is. */
export function isBest({ best, bestEpoch }: Progress, validation: Score | undefined, by: keyof Score): boolean {
  if (!validation || bestEpoch === 0) return true;
  return by === 'loss' ? validation.loss < best : validation[by] > best;
}

type Epochs = Pick<Progress, 'epoch' | 'bestEpoch'>;
type Patience = Pick<TrainOptions, 'patience'>;

/** Whether the last `patience` epochs were no better than the best one. */
export const isStuck = ({ epoch, bestEpoch }: Epochs, { patience }: Patience): boolean =>
  patience > 0 && epoch > 0 && epoch - bestEpoch >= patience;

/** Whether nothing is left to do. */
export const isOver = (progress: Epochs, limits: Pick<TrainOptions, 'epochs'> & Patience): boolean =>
  progress.epoch >= limits.epochs || isStuck(progress, limits);

/** @throws OptionError naming an option that needs validation images, if there are none. */
export function checkValidated({ patience, bestBy }: TrainOptions, validation: { readonly length: number }): void {
  if (validation.length > 0) return;
  const name = patience > 0 ? 'patience' : bestBy === 'top1' ? undefined : 'bestBy';
  if (name === undefined) return;
  throw new OptionError(
    trainOptions,
    (say) => `${say(name)} needs validation images, and there are none. Add some, or remove ${say(name)}.`,
  );
}
