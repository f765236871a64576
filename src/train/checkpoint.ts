/**
 * The current state of a training run in one safetensors file: `weights.*`, the optimizer's `slots.<name>.*`, `average.*`
 * if one is kept, and in the metadata the options, the model's description, the progress, and a digest of the training
 * images. Because the order of the images is seeded, this is enough to continue bit-exactly on the same images.
 */
import { dirname } from 'node:path';
import * as z from 'zod';
import { FormatError, UsageError } from '../errors.ts';
import { makeFolder } from '../files.ts';
import { parseJson } from '../json.ts';
import type { Weights } from '../model/weights.ts';
import { pick } from '../options.ts';
import { type ModelDescription, readDescription, writeDescription } from '../saved/description.ts';
import { schemaOf } from '../saved/schema.ts';
import { backbone } from '../step/parameter-groups.ts';
import type { Tensor } from '../tensor.ts';
import { openStateDict, readSafetensorsFile, writeSafetensorsFile } from '../weights/files.ts';
import { type Recipe, recipe, trainConfig } from './options.ts';
import { noProgress, type Progress } from './progress.ts';

export interface Checkpoint {
  readonly options: Recipe;
  readonly classes: readonly string[];
  /** The model and its preprocessing; absent in old checkpoints of new models, where they follow from the options. */
  readonly description?: ModelDescription;
  readonly progress: Progress;
  /** Identifies the training images and their order (`trainingDigest`); absent in checkpoints of earlier versions. */
  readonly images?: string;
  /** Threads that computed the last steps; absent in checkpoints of earlier versions. */
  readonly threads?: number;
  /** All weights, including frozen ones. */
  readonly weights: Weights;
  /** By the names of the optimizer's slots. */
  readonly slots: ReadonlyMap<string, Weights>;
  /** Empty if no average is kept. */
  readonly average: Weights;
}

export async function writeCheckpoint(
  path: string,
  { options, classes, description, progress, images, threads, weights, slots, average }: Checkpoint,
): Promise<void> {
  await makeFolder(dirname(path));
  const tensors = new Map([
    ...prefixed('weights.', weights),
    ...[...slots].flatMap(([name, contents]) => prefixed(`slots.${name}.`, contents)),
    ...prefixed('average.', average),
  ]);
  const metadata = new Map([
    ['options', JSON.stringify(pick<object>(recipe, options))],
    ['classes', JSON.stringify(classes)],
    ['progress', JSON.stringify(progress)],
    ...(images === undefined ? [] : [['images', images] as const]),
    ...(threads === undefined ? [] : [['threads', `${threads}`] as const]),
    ...(description ? [['description', writeDescription(description)] as const] : []),
  ]);
  await writeSafetensorsFile(path, tensors, metadata);
}

/** @throws FormatError if the file is not a checkpoint. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensorsFile(path);
  const read = <T>(key: 'options' | 'classes' | 'progress', schema: z.ZodType<T>): T =>
    readField(metadata.get(key), key, schema, path);
  const description = metadata.get('description');
  const images = metadata.get('images');
  const threads = Number(metadata.get('threads'));
  const options = read('options', recipeSchema);
  const classes = read('classes', classesSchema);
  checkTypes(tensors, path);
  if (!description) fromFile(path, () => trainConfig(options, classes.length));
  return {
    options,
    classes,
    ...(description && { description: readDescription(description, path) }),
    progress: read('progress', progressSchema),
    ...(images !== undefined && { images }),
    ...(threads > 0 && { threads }),
    weights: stripped('weights.', tensors),
    slots: slotsIn(tensors),
    average: stripped('average.', tensors),
  };
}

/** The progress in a checkpoint, without reading its tensors. */
export async function readProgress(path: string): Promise<Progress> {
  const { metadata } = await openStateDict(path);
  return readField(metadata.get('progress'), 'progress', progressSchema, path);
}

/** Older checkpoints contain settings, which are dropped, and call the backbone `all but fc`. */
const recipeSchema = z
  .looseObject({ freeze: z.array(z.string()).optional() })
  .transform(({ freeze, ...rest }) => ({
    ...rest,
    ...(freeze && { freeze: freeze.map((group) => (group === 'all but fc' ? backbone : group)) }),
  }))
  .pipe(schemaOf(recipe));

const classesSchema = z.array(z.string());

/** Older checkpoints call `correct` and `count` `right` and `seen`, and do not say which epoch was best: at latest the last. */
const progressSchema = z.record(z.string(), z.number()).transform(({ right = 0, seen = 0, ...rest }): Progress => {
  const latest = { bestEpoch: rest.epoch ?? 0 };
  return { ...noProgress, correct: right, count: seen, ...latest, ...rest };
});

/** All state is float32, but for the batch counts of frozen normalizations. */
function checkTypes(tensors: Weights, path: string): void {
  for (const [name, { dtype }] of tensors) {
    const isCount = dtype === 'int64' && /^weights\..*\bnum_batches_tracked$/.test(name);
    if (dtype === 'float32' || isCount) continue;
    throw new FormatError(`${path}: "${name}" is ${dtype}, but the state of a run is float32. The file is damaged.`);
  }
}

function readField<T>(text: string | undefined, key: string, schema: z.ZodType<T>, path: string): T {
  if (text === undefined) throw new FormatError(`${path}: the file is not a checkpoint of a training run.`);
  const json = parseJson(text, `${path}: the checkpoint's ${key}`);
  const { data, error } = fromFile(path, () => schema.safeParse(json));
  if (error)
    throw new FormatError(`${path}: the ${key} in the checkpoint cannot be read: ${error.issues[0]!.message}.`);
  return data;
}

/** Options of a network that cannot be built are the file's, not the user's. */
function fromFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new FormatError(`${path}: the options in the checkpoint describe no network: ${error.message}`);
  }
}

const prefixed = (prefix: string, tensors: Weights): [string, Tensor][] =>
  [...tensors].map(([name, tensor]) => [prefix + name, tensor]);

const stripped = (prefix: string, tensors: Weights): Map<string, Tensor> =>
  new Map(
    [...tensors].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [])),
  );

/** The slots by name. Older checkpoints have SGD's momentum as `velocity.*`. */
function slotsIn(tensors: Weights): Map<string, Weights> {
  const names = new Set([...tensors.keys()].flatMap((name) => /^slots\.([^.]+)\./.exec(name)?.[1] ?? []));
  const velocity = stripped('velocity.', tensors);
  const slots = [...names].map((name) => [name, stripped(`slots.${name}.`, tensors)] as const);
  return new Map([...(velocity.size > 0 ? [['momentum', velocity] as const] : []), ...slots]);
}
