/** Opens a saved model for inference: lowers its graph for this machine and opens it in ONNX Runtime. */
import {
  type BoundSession,
  type Machine,
  openBound,
  Session,
  type SessionOptions,
  sessionFields,
  thisMachine,
  tuning,
} from '#platform';
import { type FieldsOf, isObject, object } from '../arguments.ts';
import { maxMegapixels } from '../data/budget.ts';
import { poolField, type WorkerPool } from '../data/pool.ts';
import type { Preprocessing } from '../data/presets.ts';
import { workers } from '../data/workers.ts';
import type { Graph } from '../graph/graph.ts';
import { lowerInference } from '../lower/inference.ts';
import { list, pick, text } from '../options.ts';
import type { ModelDescription } from '../saved/description.ts';
import { notesOn } from '../saved/external.ts';
import type { SavedModel } from '../saved/model.ts';
import { preprocessingWarningFor, withPreprocessing } from '../saved/preprocessing.ts';
import { loadFields } from '../saved/read.ts';

/** How a model is opened, and how its images are read. */
export interface ClassifierOptions extends SessionOptions {
  /** Changes to the model's preprocessing; see `withPreprocessing`. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** The key of the network in a checkpoint with several, such as `teacher`; see `loadModel`. */
  readonly key?: string;
  /** Class names in the order of the outputs. Default: the model's. */
  readonly labels?: readonly string[];
  /**
   * Number of worker threads that read images for long lists, started when first needed; 0 uses the calling thread.
   * Default: one per core, at most 8.
   */
  readonly workers?: number;
  /** Megapixels of the largest image to read, and of all that are decoded at once; default: 100. */
  readonly maxMegapixels?: number;
  /** A pool to share with others instead of `workers` and `maxMegapixels`. `dispose` does not end it. */
  readonly pool?: WorkerPool;
}

/** `ClassifierOptions` with their checks. */
export const classifierFields: FieldsOf<ClassifierOptions> = {
  ...sessionFields,
  preprocessing: object('an object of changes, such as { size: 288 }', isObject),
  key: loadFields.key,
  labels: list(text({ expected: 'a name', doc: 'a class' }), { doc: 'class names' }),
  workers,
  maxMegapixels,
  pool: poolField,
};

/** The facts about a model other than its graph. */
export interface ModelFacts {
  readonly description: ModelDescription;
  /** Sentences for the user on how external weights were imported, and what a different preprocessing costs. */
  readonly notes: readonly string[];
}

export interface OpenedModel extends ModelFacts {
  readonly session: Session;
  /** Reads the model itself, for anything that is not in the session. */
  readonly read: () => Promise<SavedModel>;
}

/** How to open graphs: the caller's options, and what was measured on this machine. */
export interface Plan {
  readonly settings: SessionOptions;
  readonly machine: Machine;
  readonly mergeGroups: Readonly<Record<number, boolean>>;
}

/** @throws the errors of `withPreprocessing` and `Session.open`. */
export async function openModel(model: SavedModel, options: ClassifierOptions): Promise<OpenedModel> {
  const prepared = preprocessedAs(model, options);
  const session = await openGraph(prepared.graph, options);
  return { ...factsOf(prepared), session, read: async () => prepared };
}

/** Lowers a graph for this machine and opens it. */
export const openGraph = async (graph: Graph, options: ClassifierOptions): Promise<Session> =>
  openLowered(graph, await planFor(options));

/** The same, for many runs on the same arrays outside of the main thread. */
export async function openBoundGraph(graph: Graph, options: ClassifierOptions): Promise<BoundSession> {
  const { settings, machine, mergeGroups } = await planFor(options);
  return openBound(lowerInference(graph, { block: machine.block, mergeGroups }).graph, settings);
}

/** The model with the preprocessing of the options. */
export const preprocessedAs = (model: SavedModel, { preprocessing }: ClassifierOptions): SavedModel =>
  preprocessing ? withPreprocessing(model, preprocessing) : model;

export function factsOf(model: SavedModel): ModelFacts {
  const { description } = model;
  const warning = preprocessingWarningFor(description);
  const notes = notesOn(model);
  return { description, notes: warning === undefined ? notes : [...notes, warning] };
}

export async function planFor(options: ClassifierOptions): Promise<Plan> {
  const settings = pick<SessionOptions>(sessionFields, options);
  const [machine, measured] = [await thisMachine(), await tuning()];
  if (!measured) return { settings, machine, mergeGroups: {} };
  return { settings: { threads: measured.threads, ...settings }, machine, mergeGroups: measured.mergeGroups };
}

/** @param saveTo an option of `Session.open` in Node. */
export function openLowered(
  graph: Graph,
  { settings, machine, mergeGroups }: Plan,
  saveTo?: { readonly saveTo: string },
): Promise<Session> {
  const lowered = lowerInference(graph, { block: machine.block, mergeGroups }).graph;
  return Session.open(lowered, { ...settings, ...saveTo });
}
