/**
 * The three ways to start a run: from initial weights, from a saved model, or from a checkpoint. Afterwards, the run has
 * its model and preprocessing, and does not read the saved model again.
 */

import { atSize, type Preprocessing, preprocessingFor } from '../data/presets.ts';
import { FormatError, UsageError } from '../errors.ts';
import { type ResNeXtConfig, resolveConfig } from '../model/config.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import type { Weights } from '../model/weights.ts';
import { OptionError } from '../options.ts';
import { checkShapes, checkTensorCount } from '../saved/described.ts';
import type { ModelDescription } from '../saved/description.ts';
import { notesOn, withClasses } from '../saved/external.ts';
import type { SavedModel } from '../saved/model.ts';
import { optimizers } from '../step/optimizers.ts';
import { backbone, frozenGroups, head, trainedSpecs } from '../step/parameter-groups.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { Choice } from './choose.ts';
import { type TrainOptions, trainConfig, trainOptions } from './options.ts';
import { noProgress, type Progress } from './progress.ts';

export interface RunStart {
  /** The model, its classes and its preprocessing, without metrics. */
  readonly description: ModelDescription;
  readonly weights: Weights;
  readonly slots: ReadonlyMap<string, Weights>;
  readonly average: Weights;
  readonly progress: Progress;
  /** Whether the classifier of the pretrained model was replaced by a new one; absent without a pretrained model. */
  readonly newHead?: boolean;
  /** Sentences for the user: how external weights were imported, or what differs from the run so far. */
  readonly notes?: readonly string[];
  /** How the network was chosen, if it was. */
  readonly choice?: Choice;
}

/** Starts a new model with seeded initial weights. */
export function startNew(options: TrainOptions, classes: readonly string[]): RunStart {
  const description = describeNew(options, classes);
  const weights = initialWeights(resnext(description.config), options.seed);
  return { description, weights, slots: new Map(), average: new Map(), progress: noProgress };
}

function describeNew(options: TrainOptions, classes: readonly string[]): ModelDescription {
  const config = trainConfig(options, classes.length);
  const { stem, inputSize } = config;
  const usual = preprocessingFor({
    images: stems[stem].images,
    size: inputSize[0],
    channels: options.inputChannels,
  });
  const preprocessing = resizedAs(options, usual);
  return { variant: options.variant, config, classes, preprocessing, metrics: {} };
}

/**
 * Starts from a saved model. It keeps its classifier if it has the same classes in the same order; otherwise it gets a new
 * one with seeded initial weights.
 *
 * @throws UsageError if the model's weights are folded, as in an exported ONNX file, or a new classifier would be frozen.
 */
export function startFrom(options: TrainOptions, classes: readonly string[], source: SavedModel): RunStart {
  const { variant, config: old, preprocessing: usual } = source.description;
  if (!source.weights) {
    throw new UsageError(
      `The weights of "${options.from}" are folded and cannot be trained. Start from the model that it was exported from.`,
    );
  }
  const newHead = !areSame(source.description.classes, classes);
  const preprocessing = resizedAs(options, options.size === 0 ? usual : atSize(usual, options.size));
  const inputSize = [preprocessing.size, preprocessing.size] as const;
  const config = resolveConfig({ ...old, inputSize, form: options.form, classes: classes.length });
  if (newHead && frozenGroups(options.freeze, config).includes(head)) {
    throw new OptionError(
      trainOptions,
      (say) =>
        `${say('freeze')} is "${head}", but the classifier is new and has to be trained, because "${options.data}" has other classes than "${options.from}". Leave out "${head}".`,
    );
  }
  const description = { variant, config, classes, preprocessing, metrics: {} };
  const known = {
    description,
    slots: new Map(),
    average: new Map(),
    progress: noProgress,
    newHead,
    notes: notesOn(source),
  };
  if (!newHead) return { ...known, weights: source.weights };
  return { ...known, weights: withClasses(source, classes, options.seed).weights! };
}

/** The preprocessing, with the options for resizing that were given. */
function resizedAs({ resize, interpolation }: TrainOptions, usual: Preprocessing): Preprocessing {
  if (resize > 0 && resize < usual.size) {
    throw new OptionError(
      trainOptions,
      (say) =>
        `${say('resize')} is ${resize}, but the center crop needs at least the size of the input, ${usual.size}.`,
    );
  }
  return {
    ...usual,
    ...(resize > 0 && { resize }),
    ...(interpolation !== 'auto' && { interpolation }),
  };
}

/** Whether two lists of classes are equal. How a system stores an accent makes no difference. */
export const areSame = (a: readonly string[], b: readonly string[]): boolean =>
  JSON.stringify(a).normalize() === JSON.stringify(b).normalize();

/** Continues a run from its checkpoint, possibly in another form. */
export function resumeFrom(options: TrainOptions, checkpoint: Checkpoint): RunStart {
  const { weights, slots, average, progress, classes } = checkpoint;
  const description = checkpoint.description ?? describeNew(options, classes);
  const source = `The checkpoint in "${options.out}"`;
  checkTensorCount(description.config, weights.size, source);
  checkShapes(description.config, weights, source);
  checkSlots(checkpoint, description.config, source);
  const config = { ...description.config, form: options.form };
  const notes = notesOnThreads(options.threads, checkpoint.threads);
  return { description: { ...description, config }, weights, slots, average, progress, notes };
}

/** What the optimizer keeps for a parameter would silently start again from zero if it were missing. */
function checkSlots({ options, progress, slots }: Checkpoint, config: ResNeXtConfig, source: string): void {
  if (progress.steps === 0) return;
  const frozen = frozenGroups(options.linearProbe ? [backbone] : options.freeze, config);
  const names = trainedSpecs(resnext(config), frozen).map(({ name }) => name);
  for (const slot of optimizers[options.optimizer].slots) {
    const missing = names.find((name) => !slots.get(slot)?.has(name));
    if (missing === undefined) continue;
    throw new FormatError(
      `${source} lacks the slot "${slot}" of "${missing}", which ${options.optimizer} continues from. The file is damaged.`,
    );
  }
}

/** Threads share the terms of sums, and how they do depends on their number. */
function notesOnThreads(now: number, before = now): string[] {
  if (now === before) return [];
  const until = before === 1 ? '1 thread' : `${before} threads`;
  return [
    `The run used ${until} until now and goes on with ${now}, so the last bits of its weights may differ. To keep them, resume it with --threads ${before}.`,
  ];
}
