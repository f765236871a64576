/**
 * Models from files that were not written by this package. A state dict in any naming scheme is recognized by its
 * tensors (`checkpoints`). Class names and preprocessing come from the file, the catalog or the hub's `config.json`, or
 * are the defaults.
 */

import { checkArgument, checkList, checkOptions, type FieldsOf, isObject, name, object } from '../arguments.ts';
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
  importFields,
  importWeights,
} from '../checkpoints/import.ts';
import { forChannels, type Preprocessing, preprocessingFor } from '../data/presets.ts';
import { FormatError, UsageError } from '../errors.ts';
import { resnext } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import { type Weights, weightSpecs } from '../model/weights.ts';
import { checkGiven, oneOf, pick, whole } from '../options.ts';
import type { Tensor } from '../tensor.ts';
import type { ClassNames } from '../weights/class-names.ts';
import type { StateDict } from '../weights/state-dict.ts';
import type { ModelDescription } from './description.ts';
import { assemble, reassemble, type SavedModel, savedModelKind } from './model.ts';

/** What is known about a state dict besides its tensors. */
export interface ImportStateDictOptions extends ImportOptions {
  /** The contents of the hub's `config.json`. */
  readonly hub?: HubConfig;
  /** The catalog entry that the file's name refers to. If the architecture matches, it overrides `config.json`. */
  readonly entry?: PublishedWeights | undefined;
}

export interface ImportedModel extends SavedModel {
  /** How the weights were imported. */
  readonly report: ImportReport;
}

const fields: FieldsOf<ImportStateDictOptions> = {
  ...importFields,
  hub: object('the contents of a config.json, as of readHubConfig', isObject),
  entry: object('published weights, as of findWeights', isObject),
};

/**
 * Builds the model for a state dict in any naming scheme.
 *
 * @throws FormatError if it is not a ResNeXt, or its input is neither grayscale nor color images.
 * @example fromStateDict(await openStateDict('cats.pth'), { source: 'cats.pth', hint: 'resnext50_32x4d' })
 */
export function fromStateDict(
  { tensors, classes = [], notes }: StateDict,
  options: ImportStateDictOptions = {},
): ImportedModel {
  checkOptions(fields, options);
  const { hub = {}, source = 'The state dict' } = options;
  const hint = [options.hint, hub.architecture, options.entry?.variant].filter((part) => part !== undefined).join(' ');
  const imported = importWeights(tensors, { ...pick<ImportOptions>(importFields, options), hint });
  const { config: inferred, variant, weights, report } = imported;
  const entry = options.entry && matchesEntry(imported, options.entry) ? options.entry : undefined;
  const lists = [...classes, ...(hub.classes ? [{ key: 'config.json', names: hub.classes }] : [])];
  const known = entry?.preprocessing ?? hub.preprocessing;
  const preprocessing = preprocessingOf(inferred.inputChannels, inferred.stem, known, source);
  const config = { ...inferred, inputSize: [preprocessing.size, preprocessing.size] as const };
  const description: ModelDescription = {
    variant,
    config,
    classes: classNames(imported, lists, entry),
    preprocessing,
    ...(entry && report.adapted.length === 0 && { weights: entry.name }),
    metrics: {},
  };
  const other =
    entry === options.entry
      ? []
      : [`Despite its name, the file is not ${options.entry!.name}, which has another architecture.`];
  const { size } = preprocessing;
  const defaults = known ? [] : [`Using the default preprocessing: ${size} x ${size} pixels.`];
  return {
    ...assemble(description, weights),
    report: { ...report, notes: [...notes, ...report.notes, ...other, ...unfitNotes(imported, lists), ...defaults] },
  };
}

/** Whether the architecture is that of published weights: a file with their name may contain something else. */
const matchesEntry = ({ variant, config, report }: ImportedWeights, entry: PublishedWeights): boolean =>
  variant === entry.variant && (report.adapted.length > 0 || config.classes === classesOf[entry.labels]);

/**
 * A thousand classes without names are ImageNet's, unless the head is new. A single name is that of the second of the two
 * classes that a single output distinguishes.
 */
function classNames(
  { config, newHead }: ImportedWeights,
  lists: readonly ClassNames[],
  entry: PublishedWeights | undefined,
): readonly string[] {
  const trained = newHead ? [] : [entry && labelsOf(entry), imagenetClasses];
  const own = newHead ? [] : lists.map(({ names }) => (names.length === 1 ? [`not ${names[0]}`, names[0]!] : names));
  return [...own, ...trained].find((names) => names?.length === config.classes) ?? defaultClassNames(config.classes);
}

/** Says which lists of class names were ignored, if none has a name for each output. */
function unfitNotes({ config: { classes }, newHead }: ImportedWeights, lists: readonly ClassNames[]): string[] {
  const fits = ({ names }: ClassNames) => names.length === classes || (names.length === 1 && classes === 2);
  if (newHead || classes === 0 || lists.some(fits)) return [];
  return lists
    .slice(0, 2)
    .map(
      ({ key, names }) => `Ignored the ${names.length} class names under "${key}": the network has ${classes} outputs.`,
    );
}

function preprocessingOf(
  channels: number,
  stem: ModelDescription['config']['stem'],
  known: Preprocessing | undefined,
  source: string,
): Preprocessing {
  if (channels !== 1 && channels !== 3) {
    throw new FormatError(
      `${source} has a stem for ${channels} channels, but expected 1 or 3. Adapt it with inputChannels: 3 (train --input-channels 3).`,
    );
  }
  if (known) return forChannels(known, channels);
  const { images, inputSize: size } = stems[stem];
  return preprocessingFor({ images, size, channels });
}

/** Notes to show the user on how external weights were imported; none for published weights. */
export const notesOn = ({ description, report }: SavedModel): readonly string[] =>
  report && description.weights === undefined ? describeReport(report) : [];

const classCount = whole({ from: 1, doc: 'number of classes' });

function countOf(names: readonly string[]): number {
  checkList('classes', names, name);
  return names.length;
}

/**
 * A model for other classes: everything is kept except the head, which is new and needs training.
 *
 * @param classes the class names, or their number.
 * @param seed the seed for the new head.
 * @throws UsageError if the model has no separate weights, or for fewer than one class.
 * @example withClasses(await loadModel('resnext50_32x4d.safetensors'), ['cat', 'dog'])
 */
export function withClasses(model: SavedModel, classes: readonly string[] | number, seed = 1): SavedModel {
  checkArgument('model', model, savedModelKind);
  checkArgument('classes', typeof classes === 'number' ? classes : countOf(classes), classCount);
  checkArgument('seed', seed, whole({ doc: 'seed' }));
  const names = typeof classes === 'number' ? defaultClassNames(classes) : classes;
  const { variant, preprocessing, config: old } = model.description;
  const config = { ...old, classes: names.length };
  const weights = new Map([...ownWeights(model), ...initialHead(resnext(config), seed)]);
  return reassemble(model, { variant, config, classes: names, preprocessing, metrics: {} }, weights);
}

/**
 * A model for grayscale or color images: its stem and preprocessing are adapted, and the rest is kept. A model that
 * already has that number of channels is returned unchanged.
 *
 * @throws UsageError if the model has no separate weights, or `channels` is neither 1 nor 3.
 * @example withChannels(await loadModel('runs/flowers'), 1) // conv1.weight [64, 3, 7, 7] → [64, 1, 7, 7]
 */
export function withChannels(model: SavedModel, channels: 1 | 3): SavedModel {
  checkArgument('model', model, savedModelKind);
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
  return reassemble(model, { variant, config, classes, preprocessing, metrics: {} }, weights);
}

/** A model's weights in form C. Throws a UsageError if it has none. */
export function ownWeights({ weights }: Pick<SavedModel, 'weights'>): Weights {
  if (weights) return weights;
  throw new UsageError(
    'The model has no separate weights, as they were folded into its graph. Load the original model instead.',
  );
}
