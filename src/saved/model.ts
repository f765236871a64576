/** A model in memory. */
import { hasAll, kind } from '../arguments.ts';
import type { ImportReport } from '../checkpoints/import.ts';
import type { Graph } from '../graph/graph.ts';
import { inferShapes } from '../graph/shapes.ts';
import { resnext } from '../model/resnext.ts';
import { setWeights, type Weights } from '../model/weights.ts';
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

/** A saved model, as an argument. */
export const savedModelKind = kind('a model, as loadModel returns', (value) => hasAll(value, 'description', 'graph'));

/**
 * Builds the model for a description and weights: its graph follows from the config. All changes to a model's config
 * or weights go through here.
 *
 * @param weights in form C.
 * @throws UsageError if a tensor is missing or does not have the shape that the config requires.
 */
export function assemble(description: ModelDescription, weights: Weights): SavedModel & { readonly weights: Weights } {
  const model = resnext(description.config);
  setWeights(model, weights);
  return { description, graph: model.graph, weights };
}

/** A changed model. An input that accepts any size stays so. */
export function reassemble(model: SavedModel, description: ModelDescription, weights: Weights): SavedModel {
  const changed = assemble(description, weights);
  return hasFreeSize(model.graph) ? withFreeSize(changed) : changed;
}

/** Names of the height and width of an input that accepts any size. */
export const freeSize = ['H', 'W'] as const;

export const hasFreeSize = ({ inputs: [input] }: Graph): boolean =>
  input?.dims?.slice(2).some((dim) => typeof dim !== 'number') ?? false;

/** Makes the model accept images of any height and width, which works because it ends in a global average pool. */
export function withFreeSize(model: SavedModel): SavedModel {
  const { graph } = model.graph.clone();
  const [input] = graph.inputs;
  if (input?.dims) input.dims = [...input.dims.slice(0, 2), ...freeSize];
  inferShapes(graph);
  return { ...model, graph };
}
