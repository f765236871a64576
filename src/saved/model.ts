/** A model in memory. */
import type { ImportReport } from '../checkpoints/import.ts';
import type { Graph } from '../graph/graph.ts';
import type { Weights } from '../model/weights.ts';
import type { ModelDescription } from './description.ts';

/** A graph that is ready to run, and its description. */
export interface SavedModel {
  readonly description: ModelDescription;
  readonly graph: Graph;
  /** In form C. Absent if the nodes of an ONNX file no longer have separate weights, as after folding. */
  readonly weights?: Weights;
  /** How the weights were imported, if the file was not written by this package. */
  readonly report?: ImportReport;
}
