/** Builds the event at the start of a run. */
import { countBatches } from '../data/loader.ts';
import { countsByLabel } from '../data/samples.ts';
import { cost } from '../graph/cost.ts';
import type { Model } from '../model/resnext.ts';
import { chooseLowering } from '../step/lowering.ts';
import { backbone, frozenGroups, trainedCount } from '../step/parameter-groups.ts';
import { unevenness } from './balance.ts';
import type { StartEvent } from './events.ts';
import type { TrainOptions } from './options.ts';
import type { Replicas } from './replicas.ts';
import type { RunImages } from './run-images.ts';
import { sizeParts } from './sizes.ts';
import type { RunStart } from './start.ts';

export async function startEvent(
  options: TrainOptions,
  { folder, notes: ofImages }: RunImages,
  model: Model,
  { description, progress, newHead, notes = [], choice, speedup }: RunStart & Pick<Replicas, 'speedup'>,
): Promise<StartEvent> {
  const uneven = unevenness(folder, options);
  const remarks = [...notes, ...ofImages, ...(uneven === undefined ? [] : [uneven])];
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
    ...(remarks.length > 0 && { notes: remarks }),
    linearProbe: options.linearProbe,
    ...(choice && { choice }),
    classes: folder.classes,
    trainPerClass: countsByLabel(folder.train, folder.classes.length),
    train: folder.train.length,
    validation: folder.validation.length,
    ...(options.fold !== '' && { fold: options.fold }),
    ...(options.trainSize.length > 0 && { trainSizes: sizeParts(options) }),
    size: description.preprocessing.size,
    epochs: options.epochs,
    bestBy: options.bestBy,
    patience: options.patience,
    batch: options.batch,
    replicas: options.replicas,
    ...(speedup !== undefined && { replicasSpeedup: speedup }),
    stepsPerEpoch: countBatches(folder.train.length, options.batch, true),
    epoch: progress.epoch,
    step: progress.step,
    ...(progress.bestEpoch > 0 && { bestEpoch: progress.bestEpoch }),
    lowering,
    ...(reason && { loweringReason: reason }),
  };
}
