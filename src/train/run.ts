/** Training, from a folder of images to a saved model: opens a run, new or resumed, and closes it. */

import { checkArgument, checkOptions, optional, path } from '../arguments.ts';
import { OptionError } from '../options.ts';
import { checkValidated, isOver } from './best.ts';
import {
  checkFreeze,
  checkKept,
  checkKeptBatch,
  checkSettled,
  resolveTrainOptions,
  withoutIdle,
} from './check-options.ts';
import type { Checkpoint } from './checkpoint.ts';
import { withRecipe } from './chosen-recipe.ts';
import { hookFields, type TrainHooks } from './events.ts';
import { Diverged, ended, type Run, runEpochs, type TrainResult } from './loop.ts';
import { type GivenOptions, type TrainOptions, trainConfig, trainOptions } from './options.ts';
import { type Plan, planNew, withTrainer } from './plan.ts';
import { epochAgain } from './progress.ts';
import { RunFolder } from './run-folder.ts';
import { reopenImages } from './run-images.ts';
import { type RunState, recordOf } from './run-record.ts';
import { resumeFrom } from './start.ts';

/** A resumed run has the required options. */
const changeFields = optional(trainOptions);

/**
 * Trains a new model, or fine-tunes a saved one on other images (`from`).
 *
 * Without `variant` and `from`, it chooses a network, its input size and the number of epochs by the images and the speed of
 * this machine, as far as they are not given; the `start` event has the choice.
 *
 * @throws UsageError for an invalid option, an unusable folder, or if `out` contains something already or is in use.
 * @example await train({ data: 'flowers', out: 'runs/flowers', variant: 'resnext20_8x16d_w16', epochs: 10 });
 * @example await train({ data: 'roses', out: 'runs/roses', from: 'runs/flowers', freeze: ['stem', 'layer1'] });
 */
export async function train(options: GivenOptions, hooks: TrainHooks = {}): Promise<TrainResult> {
  checkOptions(trainOptions, options);
  checkOptions(hookFields, hooks);
  const given = await withRecipe(options);
  const asked = resolveTrainOptions(given);
  checkSettled(given);
  return within(await RunFolder.forNew(asked.out, asked.overwrite), async (folder) => {
    return openRun(await planNew(asked, given, hooks), folder, hooks);
  });
}

/** Uses a folder, then leaves it to others. A new run that fails before its first step leaves nothing in it. */
async function within<T>(folder: RunFolder, use: (folder: RunFolder) => Promise<T>): Promise<T> {
  try {
    return await use(folder);
  } catch (error) {
    await folder.abandon();
    throw error;
  } finally {
    await folder.close();
  }
}

/**
 * Continues a run from its last checkpoint. Options given here replace the run's own; a different set of parameter groups
 * may be frozen. The pretrained model is not read again. A run that has nothing left to do stays as it is.
 *
 * @throws UsageError if `out` does not contain a run or is in use, or the run cannot continue with these options.
 * @example await resume('runs/flowers', { epochs: 60 });
 */
export async function resume(
  out: string,
  given: Partial<TrainOptions> = {},
  hooks: TrainHooks = {},
): Promise<TrainResult> {
  checkArgument('out', out, path);
  checkOptions(changeFields, given);
  checkOptions(hookFields, hooks);
  if (given.overwrite) {
    throw new OptionError(
      trainOptions,
      (say) => `A resumed run continues in its own folder. Remove ${say('overwrite')}.`,
    );
  }
  return within(await RunFolder.ofRun(out), async (folder) => {
    const checkpoint = await folder.lastCheckpoint();
    const before = { ...checkpoint.options, size: sizeOf(checkpoint), replicas: checkpoint.options.replicas || 1 };
    const options = resolveTrainOptions({ ...withoutIdle(before, { ...given, out }), ...given, out });
    checkKept(options, before);
    if (checkpoint.description) checkFreeze(options, checkpoint.description.config);
    const images = await reopenImages(options, checkpoint, folder.split());
    const progress = images.restartsEpoch ? epochAgain(checkpoint.progress) : checkpoint.progress;
    if (progress.step > 0) checkKeptBatch(options, before);
    const startWith: Plan['startWith'] = (fitted) => resumeFrom(fitted, { ...checkpoint, progress });
    return openRun({ options, given, images, startWith }, folder, hooks);
  });
}

/** The size of a run's images, which its options may leave to the model. */
const sizeOf = ({ options, description }: Checkpoint): number =>
  description?.preprocessing.size ?? trainConfig(options, 2).inputSize[0];

async function openRun(plan: Plan, folder: RunFolder, hooks: TrainHooks): Promise<TrainResult> {
  checkValidated(plan.options, plan.images.folder.validation);
  return withTrainer(plan, hooks, async (opened) => {
    const { options, images, event, start } = opened;
    if (isOver(start.progress, options)) return ended({ ...opened, folder, hooks }, start.progress); // leaves the run as it is
    const record = await recordOf(options, images, event, folder.record());
    return recorded({ ...opened, folder, record, hooks });
  });
}

/** Runs the epochs, and records how they ended. */
async function recorded(run: Run): Promise<TrainResult> {
  const end = (state: RunState) => run.folder.saveRecord({ ...run.record, state });
  try {
    const result = await runEpochs(run);
    await end(result.interrupted ? 'interrupted' : 'finished');
    return result;
  } catch (error) {
    await end(error instanceof Diverged ? 'diverged' : 'failed').catch(() => {}); // the first error is reported
    throw error;
  }
}
