/**
 * A training run as it stands, in one safetensors file: `weights.*`, the optimizer's `slots.<name>.*`, `average.*` where
 * one is kept, and as metadata what is being trained, how, and how far it has come. Together with the seeded order of the
 * images that is all it takes to go on to the bit.
 */
import { dirname } from 'node:path';
import * as z from 'zod';
import { FormatError, UsageError } from '../errors.ts';
import { makeFolder } from '../files.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import type { Weights } from '../model/weights.ts';
import { pick } from '../options.ts';
import { checkShapes, checkTensorCount } from '../saved/described.ts';
import { type ModelDescription, readDescription, writeDescription } from '../saved/description.ts';
import { schemaOf } from '../saved/schema.ts';
import { backbone } from '../step/parameter-groups.ts';
import type { Tensor } from '../tensor.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../weights/files.ts';
import { type Recipe, recipe, trainConfig } from './options.ts';
import { noProgress, type Progress } from './progress.ts';

export interface Checkpoint {
  readonly options: Recipe;
  readonly classes: readonly string[];
  /** The model and its preprocessing; absent where a new model's follow from the options. */
  readonly description?: ModelDescription;
  readonly progress: Progress;
  /** All of them, frozen ones too. */
  readonly weights: Weights;
  /** By the names of the optimizer's slots. */
  readonly slots: ReadonlyMap<string, Weights>;
  /** Empty where no average is kept. */
  readonly average: Weights;
}

export async function writeCheckpoint(
  path: string,
  { options, classes, description, progress, weights, slots, average }: Checkpoint,
): Promise<void> {
  await makeFolder(dirname(path));
  const tensors = new Map([
    ...prefixed('weights.', weights),
    ...[...slots].flatMap(([name, contents]) => prefixed(`slots.${name}.`, contents)),
    ...prefixed('average.', average),
  ]);
  const metadata = new Map([
    ['options', JSON.stringify(pick(recipe, options))],
    ['classes', JSON.stringify(classes)],
    ['progress', JSON.stringify(progress)],
    ...(description ? [['description', writeDescription(description)] as const] : []),
  ]);
  await writeSafetensorsFile(path, tensors, metadata);
}

/** @throws FormatError when the file is no checkpoint. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensorsFile(path);
  const [options, classes, progress] = ['options', 'classes', 'progress'].map((key) => metadata.get(key));
  if (!options || !classes || !progress)
    throw new FormatError(`${path}: the file is not a checkpoint of a training run.`);
  const described = metadata.get('description');
  const description = described ? readDescription(described, path) : undefined;
  const settings = { options: readRecipe(options, path), classes: readClasses(classes, path) };
  const weights = stripped('weights.', tensors);
  const config = description?.config ?? configOf(settings, path);
  checkTensorCount(config, weights.size, path);
  checkShapes(config, weights, path);
  return {
    ...settings,
    ...(description && { description }),
    progress: progressIn(parsed<Partial<Progress> & OldProgress>(progress, path)),
    weights,
    slots: slotsIn(tensors),
    average: stripped('average.', tensors),
  };
}

const recipeSchema = schemaOf(recipe);

/** Version 0.1 kept settings beside the recipe, which are dropped, and called the backbone `all but fc`. */
function readRecipe(text: string, path: string): Recipe {
  const json = parsed<unknown>(text.replaceAll('"all but fc"', `"${backbone}"`), path);
  const { data, error } = asFormat(path, () => recipeSchema.safeParse(json));
  if (data) return data;
  throw new FormatError(`${path}: the options in the checkpoint cannot be read: ${error.issues[0]!.message}.`);
}

function readClasses(text: string, path: string): readonly string[] {
  const { data } = z.array(z.string()).safeParse(parsed<unknown>(text, path));
  if (data) return data;
  throw new FormatError(`${path}: the classes in the checkpoint are not a list of names.`);
}

/** The network of a checkpoint without a description, which follows from its options. */
const configOf = ({ options, classes }: Pick<Checkpoint, 'options' | 'classes'>, path: string): ResNeXtConfig =>
  asFormat(path, () => trainConfig(options, classes.length));

/** Options of a network that cannot be built come from the file, not from the user. */
function asFormat<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new FormatError(`${path}: the options in the checkpoint describe no network: ${error.message}`);
  }
}

function parsed<T>(text: string, path: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new FormatError(`${path}: the checkpoint's own description is not JSON.`, { cause });
  }
}

const prefixed = (prefix: string, tensors: Weights): [string, Tensor][] =>
  [...tensors].map(([name, tensor]) => [prefix + name, tensor]);

const stripped = (prefix: string, tensors: Weights): Map<string, Tensor> =>
  new Map(
    [...tensors].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [])),
  );

/** The names under `slots.`; before there was more than one optimizer, SGD's momentum was `velocity.*`. */
function slotsIn(tensors: Weights): Map<string, Weights> {
  const names = new Set([...tensors.keys()].flatMap((name) => /^slots\.([^.]+)\./.exec(name)?.[1] ?? []));
  const velocity = stripped('velocity.', tensors);
  const slots = [...names].map((name) => [name, stripped(`slots.${name}.`, tensors)] as const);
  return new Map([...(velocity.size > 0 ? [['momentum', velocity] as const] : []), ...slots]);
}

/** What older checkpoints call `correct` and `count`. */
interface OldProgress {
  readonly right?: number;
  readonly seen?: number;
}

const progressIn = ({ right = 0, seen = 0, ...progress }: Partial<Progress> & OldProgress): Progress => ({
  ...noProgress,
  correct: right,
  count: seen,
  ...progress,
});
