/** A model in memory, as it was saved or can be. */
import type { ImportReport } from '../checkpoints/import.ts';
import type { Graph } from '../graph/graph.ts';
import type { Weights } from '../model/weights.ts';
import type { ModelDescription } from './description.ts';

/** A graph that is ready to run, and what it is. */
export interface SavedModel {
  readonly description: ModelDescription;
  readonly graph: Graph;
  /** In form C; absent where an ONNX file's nodes no longer have their own weights, as after folding. */
  readonly weights?: Weights;
  /** What was done to get the weights, where the file was not saved by this package. */
  readonly report?: ImportReport;
}
