/** A saved model from its parts. Whatever changes a model's config or weights goes through here. */
import { resnext } from '../model/resnext.ts';
import { setWeights, type Weights } from '../model/weights.ts';
import type { ModelDescription } from './description.ts';
import type { SavedModel } from './files.ts';

/**
 * The model that a description and weights make: its graph is built from the config.
 *
 * @param weights in form C.
 * @throws UsageError when a tensor is missing or has another shape than the config gives it.
 */
export function assemble(description: ModelDescription, weights: Weights): SavedModel & { readonly weights: Weights } {
  const model = resnext(description.config);
  setWeights(model, weights);
  return { description, graph: model.graph, weights };
}
