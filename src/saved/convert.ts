/** Converts saved models between forms. Weights are moved, not computed, so a round trip is bit-exact. */
import type { Form } from '../model/config.ts';
import { convertWhole } from '../rewrite/convert.ts';
import { assemble, hasFreeSize, type SavedModel, withFreeSize } from './model.ts';

/**
 * The same model with its blocks in another form. The graph of an ONNX file is rewritten by its structure.
 *
 * @throws UsageError naming the node because of which a block in the graph of an ONNX file cannot be converted.
 * @example const inBranches = convert(await loadModel('runs/flowers'), 'A');
 */
export function convert(model: SavedModel, form: Form): SavedModel {
  const config = { ...model.description.config, form };
  const description = { ...model.description, config };
  if (!model.weights) return { description, graph: convertWhole(model.graph, form) };
  const converted = assemble(description, model.weights);
  return hasFreeSize(model.graph) ? withFreeSize(converted) : converted;
}
