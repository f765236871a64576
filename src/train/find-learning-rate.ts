/**
 * Finds a learning rate: training steps at a rate that grows from far too small to far too large, from the weights that a
 * run with the same options would start from. Nothing is kept of them, and no run is made.
 */
import { checkOptions } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { checkSettled, resolveTrainOptions } from './check-options.ts';
import { withRecipe } from './chosen-recipe.ts';
import { hookFields, type SuggestionEvent, type TrainHooks } from './events.ts';
import { Smoothed, type SweepPoint, suggestionsFrom, sweepRate, usualSweep } from './learning-rates.ts';
import { stepOn } from './loop.ts';
import { type GivenOptions, type TrainOptions, trainOptions } from './options.ts';
import { type Opened, planNew, withTrainer } from './plan.ts';

/** The options of a run; `out` is not used. */
export type SweepOptions = Omit<GivenOptions, 'out'> & Partial<Pick<GivenOptions, 'out'>>;

/**
 * Suggests a learning rate for a run with these options, as fastai's `lr_find`: 100 steps at rates from 1e-7 to 10, ended
 * where the loss rises to four times its least value. Where an epoch has fewer steps, the sweep goes on with the next.
 *
 * @returns the last event, with the suggestions and the loss at each rate.
 * @throws UsageError for an invalid option or an unusable folder; the reason of the signal if it aborts.
 * @example
 * const { suggested } = await findLearningRate({ data: 'flowers', variant: 'resnext20_8x16d_w16' });
 * await train({ data: 'flowers', variant: 'resnext20_8x16d_w16', learningRate: suggested, out: 'runs/flowers' });
 */
export async function findLearningRate(options: SweepOptions, hooks: TrainHooks = {}): Promise<SuggestionEvent> {
  const asRun = { ...options, out: options.out ?? 'none' };
  checkOptions(trainOptions, asRun);
  checkOptions(hookFields, hooks);
  const given = await withRecipe(asRun);
  const asked = resolveTrainOptions(given);
  checkSettled(given);
  const plan = await planNew(asked, given, hooks);
  return withTrainer({ ...plan, options: asAtStart(plan.options) }, hooks, async (opened) => {
    const points = await sweep(opened, hooks);
    const event = suggestionOf(points, opened.options.learningRate);
    hooks.onEvent?.(event);
    return event;
  });
}

/** A sweep may take the images of more epochs than a run has. All of them are as in the first. */
const asAtStart = (options: TrainOptions): TrainOptions => ({
  ...options,
  trainSize: options.trainSize.slice(0, 1),
  mixEpochs: 0,
});

/** The losses at growing learning rates. */
async function sweep({ data, trainer }: Opened, { onEvent = () => {}, signal }: TrainHooks): Promise<SweepPoint[]> {
  const { steps } = usualSweep;
  const smoothed = new Smoothed();
  const points: SweepPoint[] = [];
  const onCorrupt = (path: string, message: string) => onEvent({ event: 'corrupt', path, message });
  for (let epoch = 0; ; epoch++) {
    for await (const batch of data.batches(epoch, 0, onCorrupt)) {
      const learningRate = sweepRate(usualSweep, points.length);
      const loss = await stepOn(batch, trainer.current, learningRate);
      const point = { learningRate, loss, smoothed: smoothed.add(loss) };
      points.push(point);
      onEvent({ event: 'sweep', step: points.length, steps, ...point });
      if (smoothed.isDiverged(point.smoothed) || points.length === steps) return points;
      signal?.throwIfAborted();
    }
  }
}

function suggestionOf(points: readonly SweepPoint[], usual: number): SuggestionEvent {
  const curve = points.filter(({ smoothed }) => Number.isFinite(smoothed));
  if (curve.length === 0) {
    throw new UsageError(
      'The loss of the first images is not a number, before any training. Check the weights, or start from another model.',
    );
  }
  const found = suggestionsFrom(points, usualSweep.steps);
  return { event: 'suggestion', ...(found && { suggested: found.valley, ...found }), usual, curve };
}
