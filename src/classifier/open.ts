/**
 * A saved model opened for inference: lowered for this machine, and from a file's second start on without reading it.
 * What ONNX Runtime makes of the graph (weights in blocks, operators fused) is kept in the cache under a key of the
 * file's fingerprint, the machine, the runtime's and this package's version; there the weights lie as they are used, and
 * are mapped into memory. A cache that cannot be read or written costs time and nothing else.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Machine, optimizedFile, Session, type SessionOptions, thisMachine } from '#platform';
import { findEntry, removeEntry, stageEntry } from '../cache/entries.ts';
import { fingerprint } from '../cache/fingerprint.ts';
import { cacheFolder } from '../cache/folder.ts';
import { readTuning } from '../cache/tuning.ts';
import type { Preprocessing } from '../data/presets.ts';
import { FormatError, UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { lowerInference } from '../lower/inference.ts';
import type { ModelDescription } from '../saved/description.ts';
import { notesOn } from '../saved/external.ts';
import { loadModel, modelFile, pathHints } from '../saved/files.ts';
import type { SavedModel } from '../saved/model.ts';
import { preprocessingWarningFor, withPreprocessing } from '../saved/preprocessing.ts';
import { byteLength } from '../tensor.ts';

export interface ClassifierOptions extends Omit<SessionOptions, 'saveTo'> {
  /**
   * Whether what ONNX Runtime makes of a file is kept for the next start; true unless given. It is kept where the
   * environment's RESNEXT_CACHE says, or in the user's cache folder; RESNEXT_CACHE=off keeps nothing.
   */
  readonly cache?: boolean;
  /** Images are made ready in this respect otherwise than the model says; see `withPreprocessing`. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** What the classes are called, in the order of the outputs, where the model does not say. */
  readonly labels?: readonly string[];
}

export interface OpenedModel {
  readonly description: ModelDescription;
  /** Sentences for a person: how weights of others were taken, and what their preprocessing costs. */
  readonly notes: readonly string[];
  readonly session: Session;
}

/** How to open: options, and what was measured on this machine. */
interface Plan {
  readonly settings: SessionOptions;
  readonly machine: Machine;
  readonly mergeGroups: Readonly<Record<number, boolean>>;
  readonly preprocessing: Partial<Preprocessing> | undefined;
  /** The cache's folder for models, where it is used. */
  readonly folder: string | undefined;
}

/** A graph lowered for this machine and opened, without the cache. */
export const openGraph = async (graph: Graph, options: ClassifierOptions): Promise<Session> =>
  openLowered(graph, await planFor(options));

/** @throws what `loadModel` and `Session.open` throw. */
export async function openModel(model: string | SavedModel, options: ClassifierOptions): Promise<OpenedModel> {
  const plan = await planFor(options);
  const { folder } = plan;
  if (typeof model !== 'string' || folder === undefined) {
    const saved = await readModel(model, options);
    return { ...summaryOf(saved), session: await openLowered(saved.graph, plan) };
  }
  const file = modelFile(model);
  const key = keyOf(file, plan);
  return (await fromCache(folder, key, plan)) ?? toCache(file, folder, key, plan);
}

/** A model with the preprocessing that is asked for; weights of a file stay there until they are looked at. */
export async function readModel(
  model: string | SavedModel,
  { preprocessing }: { readonly preprocessing?: Partial<Preprocessing> | undefined },
): Promise<SavedModel> {
  const saved = typeof model === 'string' ? await loadModel(model, { lazy: true }) : model;
  return preprocessing ? withPreprocessing(saved, preprocessing) : saved;
}

/**
 * Reads a model again, for what is not in the session: `readModel` of what is there now. What it gives throws a
 * FormatError where the file is no longer the one that it was, whose features and logits would be of two nets.
 */
export function rereader(model: string | SavedModel, options: ClassifierOptions): () => Promise<SavedModel> {
  if (typeof model !== 'string') return () => readModel(model, options);
  const file = modelFile(model);
  const state = () => {
    const { size, mtimeMs, ino } = statSync(file, { throwIfNoEntry: false }) ?? {};
    return [size, mtimeMs, ino].join();
  };
  const before = state();
  return async () => {
    if (state() === before) return readModel(file, options);
    throw new FormatError(`${file} was changed after it was opened. Open it again.`);
  };
}

function summaryOf(model: SavedModel): Omit<OpenedModel, 'session'> {
  const { description } = model;
  const warning = preprocessingWarningFor(description);
  const taken = notesOn(model);
  return { description, notes: warning === undefined ? taken : [...taken, warning] };
}

async function planFor({ cache = true, preprocessing, labels: _, ...settings }: ClassifierOptions): Promise<Plan> {
  const machine = await thisMachine();
  const folder = cacheFolder();
  const { mergeGroups = {}, threads } = (folder !== undefined && readTuning(folder, machine)) || {};
  const isUsual = (settings.providers ?? ['cpu']).join() === 'cpu' && (settings.optimization ?? 'all') === 'all';
  return {
    settings: threads === undefined ? settings : { threads, ...settings },
    machine,
    mergeGroups,
    preprocessing,
    folder: cache && isUsual && folder !== undefined ? join(folder, 'models') : undefined,
  };
}

/** To be raised whenever `lowerInference` makes something else of a graph. */
const loweringRevision = 2;

function keyOf(file: string, { machine, mergeGroups, preprocessing }: Plan): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const hub = join(dirname(file), 'config.json'); // which says how weights of others want their images
  const { hint, entry } = pathHints(file);
  const parts = [
    fingerprint(file),
    hint,
    entry?.name,
    existsSync(hub) ? fingerprint(hub) : undefined,
    machine,
    mergeGroups,
    preprocessing,
    version,
    loweringRevision,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

function openLowered(graph: Graph, { settings, machine, mergeGroups }: Plan, saveTo?: string): Promise<Session> {
  const lowered = lowerInference(graph, { block: machine.block, mergeGroups }).graph;
  return Session.open(lowered, saveTo === undefined ? settings : { ...settings, saveTo });
}

async function fromCache(folder: string, key: string, { settings }: Plan): Promise<OpenedModel | undefined> {
  const entry = findEntry(folder, key);
  if (!entry) return undefined;
  try {
    const session = await Session.open(join(entry.path, optimizedFile), { ...settings, optimization: 'disabled' });
    return { ...(entry.note as Omit<OpenedModel, 'session'>), session };
  } catch {
    removeEntry(folder, key);
    return undefined;
  }
}

async function toCache(file: string, folder: string, key: string, plan: Plan): Promise<OpenedModel> {
  const model = await readModel(file, plan);
  const { graph } = model;
  const about = summaryOf(model);
  const staged = isWhole(file, graph) ? stageEntry(folder, key) : undefined;
  if (!staged) return { ...about, session: await openLowered(graph, plan) };
  try {
    const session = await openLowered(graph, plan, staged.path);
    staged.commit(about);
    return { ...about, session };
  } catch (error) {
    staged.discard();
    if (!(error instanceof UsageError)) throw error;
    return { ...about, session: await openLowered(graph, plan) }; // says what is wrong, unless it was the disk
  }
}

/** Whether a file holds its weights itself. Those beside an ONNX file or an index of shards may change without it. */
function isWhole(file: string, graph: Graph): boolean {
  if (file.endsWith('.onnx')) return statSync(file).size >= weightBytes(graph);
  return !file.endsWith('.json');
}

const weightBytes = ({ initializers }: Graph): number =>
  [...initializers].reduce((sum, { tensor }) => sum + (tensor ? byteLength(tensor) : 0), 0);
