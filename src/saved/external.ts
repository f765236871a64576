/**
 * Models from files that were not saved by this package: a state dict in anybody's names is recognized by its tensors
 * (`zoo`), and what it does not say about classes and images comes from the hub's `config.json`, or is what is usual.
 */

import { defaultClassNames } from '../catalog/class-names.ts';
import { classesOf, type PublishedWeights } from '../catalog/entry.ts';
import { imagenetClasses } from '../catalog/imagenet.ts';
import { labelsOf } from '../catalog/labels.ts';
import { adaptStem, initialHead } from '../checkpoints/adapt.ts';
import type { HubConfig } from '../checkpoints/hub-config.ts';
import {
  describeReport,
  type ImportedWeights,
  type ImportOptions,
  type ImportReport,
  importWeights,
} from '../checkpoints/import.ts';
import { forChannels, type Preprocessing, preprocessingFor } from '../data/presets.ts';
import { FormatError, UsageError } from '../errors.ts';
import { resnext } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import { type Weights, weightSpecs } from '../model/weights.ts';
import { checkGiven, oneOf, whole } from '../options.ts';
import type { Tensor } from '../tensor.ts';
import type { StateDict } from '../weights/state-dict.ts';
import type { ModelDescription } from './description.ts';
import { assemble, type SavedModel } from './model.ts';

export interface ImportStateDictOptions extends ImportOptions {
  /** What the hub's `config.json` says. */
  readonly hub?: HubConfig;
  /** Which published weights these are said to be; it overrules the hub's `config.json`, if it is that net. */
  readonly entry?: PublishedWeights | undefined;
}

export interface ImportedModel extends SavedModel {
  /** What was done to get the weights. */
  readonly report: ImportReport;
}

/**
 * The model that a state dict is, whoever named its tensors.
 *
 * @throws FormatError in one sentence for what is no ResNeXt, or has a stem for other images than grayscale or color.
 * @example fromStateDict(await openStateDict('cats.pth'), { source: 'cats.pth', hint: 'resnext50_32x4d' })
 */
export function fromStateDict(
  { tensors, classes, notes }: StateDict,
  options: ImportStateDictOptions = {},
): ImportedModel {
  const { hub = {}, source = 'The state dict' } = options;
  const hint = [options.hint, hub.architecture, options.entry?.variant].filter((part) => part !== undefined).join(' ');
  const net = importWeights(tensors, { ...options, hint });
  const { config: taken, variant, weights, report } = net;
  const entry = options.entry && isEntry(net, options.entry) ? options.entry : undefined;
  const known = entry?.preprocessing ?? hub.preprocessing;
  const preprocessing = preprocessingOf(taken.inputChannels, taken.stem, known, source);
  const config = { ...taken, inputSize: [preprocessing.size, preprocessing.size] as const };
  const description: ModelDescription = {
    variant,
    config,
    classes: classNames(net, [classes, hub.classes], entry),
    preprocessing,
    ...(entry && report.adapted.length === 0 && { weights: entry.name }),
    metrics: {},
  };
  const other =
    entry === options.entry ? [] : [`It is not ${options.entry!.name}, as its name says: that has another net.`];
  const usual = known ? [] : [`Images are prepared as is usual: ${preprocessing.size} x ${preprocessing.size} pixels.`];
  return {
    ...assemble(description, weights),
    report: { ...report, notes: [...notes, ...report.notes, ...other, ...usual] },
  };
}

/** Whether a net is that of published weights: a file may be called as theirs is, and hold what was made of them. */
const isEntry = ({ variant, config, report }: ImportedWeights, entry: PublishedWeights): boolean =>
  variant === entry.variant && (report.adapted.length > 0 || config.classes === classesOf[entry.labels]);

/** A thousand classes that nobody names are ImageNet's, unless the head is new. */
function classNames(
  { config, newHead }: ImportedWeights,
  said: readonly (readonly string[] | undefined)[],
  entry: PublishedWeights | undefined,
): readonly string[] {
  const trained = newHead ? [] : [entry && labelsOf(entry), imagenetClasses];
  const given = [...(newHead ? [] : said), ...trained].find((names) => names?.length === config.classes);
  return given ?? defaultClassNames(config.classes);
}

function preprocessingOf(
  channels: number,
  stem: ModelDescription['config']['stem'],
  known: Preprocessing | undefined,
  source: string,
): Preprocessing {
  if (channels !== 1 && channels !== 3) {
    throw new FormatError(
      `${source} has a stem for ${channels} channels, and images have 1 or 3; take it with inputChannels: 3 (--input-channels 3 of train).`,
    );
  }
  if (known) return forChannels(known, channels);
  const { images, inputSize: size } = stems[stem];
  return preprocessingFor({ images, size, channels });
}

/** Sentences for a person on how weights of others were taken; none for published ones, which are known. */
export const notesOn = ({ description, report }: SavedModel): readonly string[] =>
  report && description.weights === undefined ? describeReport(report) : [];

/**
 * A model for other classes: everything is kept but the head, which is new and has to be trained.
 *
 * @param classes their names, or how many there are.
 * @param seed of the new head.
 * @throws UsageError for a model without weights of its own, or without classes to tell apart.
 * @example withClasses(await loadModel('resnext50_32x4d.safetensors'), ['cat', 'dog'])
 */
export function withClasses(model: SavedModel, classes: readonly string[] | number, seed = 1): SavedModel {
  const count = typeof classes === 'number' ? classes : classes.length;
  const table = { classes: whole({ from: 1, doc: 'number of classes' }) };
  checkGiven(table, { classes: count });
  const names = typeof classes === 'number' ? defaultClassNames(classes) : classes;
  const { variant, preprocessing, config: old } = model.description;
  const config = { ...old, classes: names.length };
  const weights = new Map([...ownWeights(model), ...initialHead(resnext(config), seed)]);
  return assemble({ variant, config, classes: names, preprocessing, metrics: {} }, weights);
}

/**
 * A model for grayscale images or for colored ones: its stem and its preprocessing are adapted, and the rest is kept. One
 * that reads such images already is given back as it is.
 *
 * @throws UsageError for a model without weights of its own, or for other channels than 1 and 3.
 * @example withChannels(await loadModel('runs/flowers'), 1) // conv1.weight [64, 3, 7, 7] → [64, 1, 7, 7]
 */
export function withChannels(model: SavedModel, channels: 1 | 3): SavedModel {
  const { variant, config: old, classes, preprocessing: usual } = model.description;
  if (old.inputChannels === channels) return model;
  checkGiven({ inputChannels: oneOf([1, 3], { doc: 'grayscale or color' }) }, { inputChannels: channels });
  const config = { ...old, inputChannels: channels };
  const given = ownWeights(model);
  const weights = new Map<string, Tensor>();
  for (const { name, dims } of weightSpecs(resnext(config))) {
    const whole = given.get(name)!;
    const isStem = dims.length === 4 && whole.dims[1] !== dims[1];
    weights.set(name, isStem ? adaptStem(whole as Tensor<'float32'>, channels) : whole);
  }
  const preprocessing = forChannels(usual, channels);
  return assemble({ variant, config, classes, preprocessing, metrics: {} }, weights);
}

/** A model's weights in form C, or the UsageError that it has none. */
export function ownWeights({ weights }: Pick<SavedModel, 'weights'>): Weights {
  if (weights) return weights;
  throw new UsageError('The model has no weights of its own, as after folding; load the one it was made of.');
}
