/**
 * Where a run begins: with initial weights, with those of a saved model, or where a checkpoint left it. From there on the
 * run knows its net and how it wants its images, and reads neither a variant nor the saved model again.
 */

import { atSize, preprocessingFor } from '../data/presets.ts';
import { UsageError } from '../errors.ts';
import { resolveConfig } from '../model/config.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import type { Weights } from '../model/weights.ts';
import type { ModelDescription } from '../saved/description.ts';
import { notesOn, withClasses } from '../saved/external.ts';
import type { SavedModel } from '../saved/model.ts';
import { frozenGroups, head } from '../step/parameter-groups.ts';
import { type Checkpoint, type Progress, start } from './checkpoint.ts';
import { type TrainOptions, trainConfig } from './options.ts';

export interface Beginning {
  /** The net, its classes and its preprocessing; no metrics yet. */
  readonly description: ModelDescription;
  readonly weights: Weights;
  readonly slots: ReadonlyMap<string, Weights>;
  readonly average: Weights;
  readonly progress: Progress;
  /** Whether the classifier of a model that training starts from was replaced by an initial one; absent where there was none. */
  readonly newHead?: boolean;
  /** Sentences for a person on how the weights of others were taken. */
  readonly notes?: readonly string[];
}

/** A new net with seeded initial weights. */
export function beginNew(options: TrainOptions, classes: readonly string[]): Beginning {
  const description = describeNew(options, classes);
  const weights = initialWeights(resnext(description.config), options.seed);
  return { description, weights, slots: new Map(), average: new Map(), progress: start };
}

function describeNew(options: TrainOptions, classes: readonly string[]): ModelDescription {
  const config = trainConfig(options, classes.length);
  const { stem, inputSize } = config;
  const preprocessing = preprocessingFor({
    images: stems[stem].images,
    size: inputSize[0],
    channels: options.inputChannels,
  });
  return { variant: options.variant, config, classes, preprocessing, metrics: {} };
}

/**
 * A saved model, with its classifier if it knows the same classes in the same order, and else with a seeded initial one.
 *
 * @throws UsageError when the model has no weights of its own, as after folding, or a new classifier would be frozen.
 */
export function beginFrom(options: TrainOptions, classes: readonly string[], source: SavedModel): Beginning {
  const { variant, config: old, preprocessing: usual } = source.description;
  if (!source.weights) {
    throw new UsageError(
      `"${options.from}" does not have its weights as they were trained, as after folding; start from the model that it was made from.`,
    );
  }
  const newHead = JSON.stringify(source.description.classes) !== JSON.stringify(classes);
  const preprocessing = options.size === 0 ? usual : atSize(usual, options.size);
  const inputSize = [preprocessing.size, preprocessing.size] as const;
  const config = resolveConfig({ ...old, inputSize, form: options.form, classes: classes.length });
  if (newHead && frozenGroups(options.freeze, config).includes(head)) {
    throw new UsageError(
      `freeze = "${head}" would keep a classifier that knows nothing: it is new, since "${options.data}" has other classes than "${options.from}". Leave "${head}" out.`,
    );
  }
  const description = { variant, config, classes, preprocessing, metrics: {} };
  const known = { description, slots: new Map(), average: new Map(), progress: start, newHead, notes: notesOn(source) };
  if (!newHead) return { ...known, weights: source.weights };
  return { ...known, weights: withClasses(source, classes, options.seed).weights! };
}

/** A run as its checkpoint has it. Its blocks may be written in another form. */
export function beginAgain(options: TrainOptions, checkpoint: Checkpoint): Beginning {
  const { weights, slots, average, progress, classes } = checkpoint;
  const description = checkpoint.description ?? describeNew(options, classes);
  const config = { ...description.config, form: options.form };
  return { description: { ...description, config }, weights, slots, average, progress };
}
