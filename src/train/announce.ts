/** What a run says of itself before it begins. */
import type { Folder } from '../data/folder.ts';
import { countBatches } from '../data/loader.ts';
import { cost } from '../graph/cost.ts';
import type { Model } from '../model/resnext.ts';
import { chooseLowering } from '../step/lowering.ts';
import { backbone, frozenGroups, trainedCount } from '../step/parameter-groups.ts';
import type { Beginning } from './begin.ts';
import type { StartEvent } from './events.ts';
import type { TrainOptions } from './options.ts';

export async function startEvent(
  options: TrainOptions,
  folder: Folder,
  model: Model,
  { description, progress, newHead, notes = [] }: Beginning,
): Promise<StartEvent> {
  const { parameters, macs } = cost(model.graph);
  const { lowering, reason } = await chooseLowering(options);
  const frozen = frozenGroups(options.linearProbe ? [backbone] : options.freeze, model.config);
  return {
    event: 'start',
    variant: description.variant,
    parameters,
    macs,
    ...(options.from !== '' && { from: options.from }),
    frozen,
    trained: trainedCount(model, frozen),
    ...(newHead !== undefined && { newHead }),
    ...(notes.length > 0 && { notes }),
    linearProbe: options.linearProbe,
    classes: folder.classes,
    train: folder.train.length,
    validation: folder.validation.length,
    epochs: options.epochs,
    batch: options.batch,
    stepsPerEpoch: countBatches(folder.train.length, options.batch, true),
    epoch: progress.epoch,
    step: progress.step,
    lowering,
    ...(reason && { loweringReason: reason }),
  };
}
