/**
 * A saved model opened for inference: lowered for this machine, and from a file's second start on without reading it.
 * What ONNX Runtime makes of the graph (weights in blocks, operators fused) is kept in the cache under a key of the
 * file's fingerprint, the machine, the runtime's and this package's version; there the weights lie as they are used, and
 * are mapped into memory. A cache that cannot be read or written costs time and nothing else.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findEntry, removeEntry, stageEntry } from '../cache/entries.ts';
import { fingerprint } from '../cache/fingerprint.ts';
import { cacheFolder } from '../cache/folder.ts';
import { readTuning } from '../cache/tuning.ts';
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { lowerInference } from '../lower/inference.ts';
import { writeOnnxFile } from '../onnx/files.ts';
import { type Machine, thisMachine } from '../runtime/machine.ts';
import { optimizedFile, Session, type SessionOptions } from '../runtime/session.ts';
import { byteLength } from '../tensor.ts';
import type { ModelDescription } from './description.ts';
import { loadModel, modelFile, type SavedModel } from './files.ts';

export interface ClassifierOptions extends Omit<SessionOptions, 'saveTo'> {
  /**
   * Whether what ONNX Runtime makes of a file is kept for the next start; true unless given. It is kept where the
   * environment's RESNEXT_CACHE says, or in the user's cache folder; RESNEXT_CACHE=off keeps nothing.
   */
  readonly cache?: boolean;
}

export interface OpenedModel {
  readonly description: ModelDescription;
  readonly session: Session;
}

/** How to open: options, and what was measured on this machine. */
interface Plan {
  readonly settings: SessionOptions;
  readonly machine: Machine;
  readonly widen: Readonly<Record<number, boolean>>;
  /** The cache's folder for models, where it is used. */
  readonly folder: string | undefined;
}

/** A graph lowered for this machine and opened, without the cache. */
export const openGraph = async (graph: Graph, options: ClassifierOptions): Promise<Session> =>
  openLowered(graph, await planFor(options));

/** @throws what `loadModel` and `Session.open` throw. */
export async function openModel(model: string | SavedModel, options: ClassifierOptions): Promise<OpenedModel> {
  const plan = await planFor(options);
  if (typeof model !== 'string')
    return { description: model.description, session: await openLowered(model.graph, plan) };
  const file = modelFile(model);
  const { folder } = plan;
  if (folder === undefined) return openFile(file, plan);
  const key = keyOf(file, plan);
  return (await fromCache(folder, key, plan)) ?? toCache(file, folder, key, plan);
}

async function planFor({ cache = true, ...settings }: ClassifierOptions): Promise<Plan> {
  const machine = await thisMachine();
  const folder = cacheFolder();
  const { widen = {}, threads } = (folder !== undefined && readTuning(folder, machine)) || {};
  const isUsual = (settings.providers ?? ['cpu']).join() === 'cpu' && (settings.optimization ?? 'all') === 'all';
  return {
    settings: threads === undefined ? settings : { threads, ...settings },
    machine,
    widen,
    folder: cache && isUsual && folder !== undefined ? join(folder, 'models') : undefined,
  };
}

/** To be raised whenever `lowerInference` makes something else of a graph. */
const loweringRevision = 1;

function keyOf(file: string, { machine, widen }: Plan): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const hub = join(dirname(file), 'config.json'); // which says how weights of others want their pictures
  const parts = [
    fingerprint(file),
    existsSync(hub) ? fingerprint(hub) : undefined,
    machine,
    widen,
    version,
    loweringRevision,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** Weights of more bytes go to ONNX Runtime through a file. */
const large = 2 ** 27;

function openLowered(graph: Graph, { settings, machine, widen }: Plan, saveTo?: string): Promise<Session> {
  const lowered = lowerInference(graph, { block: machine.block, widen }).graph;
  const options = saveTo === undefined ? settings : { ...settings, saveTo };
  return weightBytes(lowered) > large ? openThroughFile(lowered, options) : Session.open(lowered, options);
}

/**
 * ONNX Runtime maps weights that lie in a file into memory, and lets go of each when it has put it into blocks. Given as
 * arrays it copies them all first: at the peak that is twice the weights more.
 */
async function openThroughFile(graph: Graph, options: SessionOptions): Promise<Session> {
  const folder = await mkdtemp(join(options.saveTo ?? tmpdir(), 'lowered-'));
  try {
    const file = join(folder, optimizedFile);
    await writeOnnxFile(file, graph, { externalAbove: 0 });
    return await Session.open(file, options);
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {}); // what is still mapped stays on some systems
  }
}

async function openFile(file: string, plan: Plan): Promise<OpenedModel> {
  const { description, graph } = await loadModel(file);
  return { description, session: await openLowered(graph, plan) };
}

async function fromCache(folder: string, key: string, { settings }: Plan): Promise<OpenedModel | undefined> {
  const entry = findEntry(folder, key);
  if (!entry) return undefined;
  try {
    const session = await Session.open(join(entry.path, optimizedFile), { ...settings, optimization: 'disabled' });
    return { description: entry.note as ModelDescription, session };
  } catch {
    removeEntry(folder, key);
    return undefined;
  }
}

async function toCache(file: string, folder: string, key: string, plan: Plan): Promise<OpenedModel> {
  const { description, graph } = await loadModel(file);
  const staged = isWhole(file, graph) ? stageEntry(folder, key) : undefined;
  if (!staged) return { description, session: await openLowered(graph, plan) };
  try {
    const session = await openLowered(graph, plan, staged.path);
    staged.commit(description);
    return { description, session };
  } catch (error) {
    staged.discard();
    if (!(error instanceof UsageError)) throw error;
    return { description, session: await openLowered(graph, plan) }; // says what is wrong, unless it was the disk
  }
}

/** Whether a file holds its weights itself. Those beside an ONNX file may change without it. */
const isWhole = (file: string, graph: Graph): boolean => statSync(file).size >= weightBytes(graph);

const weightBytes = ({ initializers }: Graph): number =>
  [...initializers].reduce((sum, { tensor }) => sum + (tensor ? byteLength(tensor) : 0), 0);
