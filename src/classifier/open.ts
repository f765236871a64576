/** A saved model opened for inference: its graph lowered for this machine and opened in ONNX Runtime. */
import { type Machine, Session, type SessionOptions, thisMachine, tuning } from '#platform';
import type { WorkerPool } from '../data/pool.ts';
import type { Preprocessing } from '../data/presets.ts';
import type { Graph } from '../graph/graph.ts';
import { lowerInference } from '../lower/inference.ts';
import type { ModelDescription } from '../saved/description.ts';
import { notesOn } from '../saved/external.ts';
import type { SavedModel } from '../saved/model.ts';
import { preprocessingWarningFor, withPreprocessing } from '../saved/preprocessing.ts';

export interface ClassifierOptions extends SessionOptions {
  /** Images are preprocessed in this respect otherwise than the model says; see `withPreprocessing`. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** What the classes are called, in the order of the outputs, where the model does not say. */
  readonly labels?: readonly string[];
  /**
   * Worker threads that read images for long lists, started when first needed; by default one per core, at most 8. 0 reads
   * in the calling thread.
   */
  readonly workers?: number;
  /** Threads shared with others, in place of `workers`; `dispose` leaves them running. */
  readonly pool?: WorkerPool;
}

/** What is known of a model besides its graph. */
export interface ModelFacts {
  readonly description: ModelDescription;
  /** Sentences for a person: how weights of others were imported, and what their preprocessing costs. */
  readonly notes: readonly string[];
}

export interface OpenedModel extends ModelFacts {
  readonly session: Session;
  /** The model itself, for what is not in the session. */
  readonly read: () => Promise<SavedModel>;
}

/** How graphs are opened here: the caller's options, and what was measured on this machine. */
export interface Plan {
  readonly settings: SessionOptions;
  readonly machine: Machine;
  readonly mergeGroups: Readonly<Record<number, boolean>>;
}

/** @throws what `withPreprocessing` and `Session.open` throw. */
export async function openModel(model: SavedModel, options: ClassifierOptions): Promise<OpenedModel> {
  const prepared = preprocessedAs(model, options);
  const session = await openGraph(prepared.graph, options);
  return { ...factsOf(prepared), session, read: async () => prepared };
}

/** A graph lowered for this machine and opened. */
export const openGraph = async (graph: Graph, options: ClassifierOptions): Promise<Session> =>
  openLowered(graph, await planFor(options));

/** A model with the preprocessing that is asked for. */
export const preprocessedAs = (model: SavedModel, { preprocessing }: ClassifierOptions): SavedModel =>
  preprocessing ? withPreprocessing(model, preprocessing) : model;

export function factsOf(model: SavedModel): ModelFacts {
  const { description } = model;
  const warning = preprocessingWarningFor(description);
  const notes = notesOn(model);
  return { description, notes: warning === undefined ? notes : [...notes, warning] };
}

export async function planFor(options: ClassifierOptions): Promise<Plan> {
  const { preprocessing: _, labels: __, workers: ___, pool: ____, ...settings } = options;
  const [machine, measured] = [await thisMachine(), await tuning()];
  if (!measured) return { settings, machine, mergeGroups: {} };
  return { settings: { threads: measured.threads, ...settings }, machine, mergeGroups: measured.mergeGroups };
}

/** @param saveTo as `Session.open` takes it in Node. */
export function openLowered(
  graph: Graph,
  { settings, machine, mergeGroups }: Plan,
  saveTo?: { readonly saveTo: string },
): Promise<Session> {
  const lowered = lowerInference(graph, { block: machine.block, mergeGroups }).graph;
  return Session.open(lowered, { ...settings, ...saveTo });
}
