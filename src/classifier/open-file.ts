/**
 * Opens a model's file for inference, in Node. The first time, ONNX Runtime's optimized graph (weights in blocks, operators
 * fused) is cached under a key of the file's fingerprint, the machine, and the versions of the runtime and this package.
 * After that, its weights are mapped into memory from the cache, and the file itself is not read. A cache that cannot be
 * read or written only costs time.
 */
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { optimizedFile, Session } from '#platform';
import type { FieldsOf } from '../arguments.ts';
import { findEntry, removeEntry, stageEntry } from '../cache/entries.ts';
import { fingerprint } from '../cache/fingerprint.ts';
import { cacheFolder } from '../cache/folder.ts';
import { FormatError, UsageError } from '../errors.ts';
import { statIfPresent } from '../files.ts';
import type { Graph } from '../graph/graph.ts';
import { isOnnxFile } from '../onnx/files.ts';
import { flag } from '../options.ts';
import { loadModel, modelFile } from '../saved/files.ts';
import type { SavedModel } from '../saved/model.ts';
import { pathHints } from '../saved/read.ts';
import { byteLength } from '../tensor.ts';
import { version } from '../version.ts';
import {
  type ClassifierOptions,
  classifierFields,
  factsOf,
  type ModelFacts,
  type OpenedModel,
  openLowered,
  type Plan,
  planFor,
  preprocessedAs,
} from './open.ts';

/** How a model is opened from a file. */
export interface FileOptions extends ClassifierOptions {
  /**
   * Whether to cache ONNX Runtime's optimized graph, so that the file opens faster next time. Default: true. The cache is
   * in the folder named by the environment variable RESNEXT_CACHE, or in the user's cache folder; `off` disables it.
   */
  readonly cache?: boolean;
}

export const fileFields: FieldsOf<FileOptions> = {
  ...classifierFields,
  cache: flag({ doc: 'keep the optimized graph' }),
};

/** A model's entry in the cache, and how to read the model itself. */
interface Cached {
  readonly folder: string;
  readonly key: string;
  readonly plan: Plan;
  readonly read: () => Promise<SavedModel>;
}

/**
 * Opens the model at a path.
 *
 * @throws the errors of `loadModel`, `withPreprocessing` and `Session.open`. The result's `read` throws a FormatError if
 *   the file has changed since, because features and logits would come from different networks.
 */
export async function openFile(path: string, { cache = true, ...options }: FileOptions): Promise<OpenedModel> {
  const file = modelFile(path);
  const reread = readerOf(path, options);
  const folder = cache && isUsual(options) ? cacheFolder() : undefined;
  if (folder === undefined) return { ...(await openRead(await reread(), await planFor(options))), read: reread };
  const plan = await planFor(options);
  const cached = { folder: join(folder, 'models'), key: keyOf(file, plan, options), plan, read: reread };
  return { ...((await fromCache(cached)) ?? (await toCache(file, cached))), read: reread };
}

type Opened = Omit<OpenedModel, 'read'>;

const openRead = async (model: SavedModel, plan: Plan): Promise<Opened> => ({
  ...factsOf(model),
  session: await openLowered(model.graph, plan),
});

/** Reads a model whose weights stay in the file until they are needed. */
const readLazily = async (file: string, options: ClassifierOptions): Promise<SavedModel> =>
  preprocessedAs(
    await loadModel(file, { lazy: true, ...(options.key !== undefined && { key: options.key }) }),
    options,
  );

/**
 * A function that reads the model at a path, but not its weights, which stay in the file until they are needed.
 *
 * @returns the function. It throws as `loadModel`, and a FormatError if the file has changed since.
 */
export function readerOf(path: string, options: ClassifierOptions): () => Promise<SavedModel> {
  const file = modelFile(path);
  return unlessChanged(file, () => readLazily(file, options));
}

function unlessChanged<T>(file: string, read: () => Promise<T>): () => Promise<T> {
  const state = () => {
    const { size, mtimeMs, ino } = statIfPresent(file) ?? {};
    return [size, mtimeMs, ino].join();
  };
  const before = state();
  return async () => {
    if (state() === before) return read();
    throw new FormatError(`${file} was changed after it was opened. Open it again.`);
  };
}

/** Whether the options are those of cached graphs, which are fully optimized for the CPU. */
const isUsual = ({ providers = ['cpu'], optimization = 'all' }: ClassifierOptions): boolean =>
  providers.join() === 'cpu' && optimization === 'all';

/** Increase this whenever a file is read or lowered differently. */
const revision = 3;

function keyOf(file: string, { machine, mergeGroups }: Plan, { preprocessing, key }: ClassifierOptions): string {
  const hub = join(dirname(file), 'config.json'); // has the preprocessing of external weights
  const { hint, entry } = pathHints(resolve(file));
  const parts = [
    fingerprint(file),
    hint,
    entry?.name,
    existsSync(hub) ? fingerprint(hub) : undefined,
    machine,
    mergeGroups,
    preprocessing,
    key,
    version(),
    revision,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

async function fromCache({ folder, key, plan }: Cached): Promise<Opened | undefined> {
  const entry = findEntry(folder, key);
  if (!entry) return undefined;
  try {
    const settings = { ...plan.settings, optimization: 'disabled' } as const;
    const session = await Session.open(join(entry.path, optimizedFile), settings);
    return { ...(entry.note as ModelFacts), session };
  } catch {
    removeEntry(folder, key);
    return undefined;
  }
}

async function toCache(file: string, { folder, key, plan, read }: Cached): Promise<Opened> {
  const model = await read();
  const staged = isWhole(file, model.graph) ? stageEntry(folder, key) : undefined;
  if (!staged) return openRead(model, plan);
  const facts = factsOf(model);
  try {
    const session = await openLowered(model.graph, plan, { saveTo: staged.path });
    staged.commit(facts);
    return { ...facts, session };
  } catch (error) {
    staged.discard();
    if (!(error instanceof UsageError)) throw error;
    return openRead(model, plan); // reports what is wrong, unless it was the disk
  }
}

/** Whether a file contains all of its weights. External data and shards may change while the file does not. */
function isWhole(file: string, graph: Graph): boolean {
  if (isOnnxFile(file)) return statSync(file).size >= weightBytes(graph);
  return !file.endsWith('.json');
}

const weightBytes = ({ initializers }: Graph): number =>
  [...initializers].reduce((sum, { tensor }) => sum + (tensor ? byteLength(tensor) : 0), 0);
