/** Saved models from form to form. Numbers are moved, not computed: there and back gives the same bits. */
import type { Form } from '../model/config.ts';
import { convertWhole } from '../rewrite/convert.ts';
import { assemble, type SavedModel } from './model.ts';

/**
 * The same model with its blocks written in another form. An ONNX file's graph is rewritten by its structure.
 *
 * @throws UsageError naming the node at which a block of an ONNX file's graph has to stay as it is.
 * @example const inBranches = convert(await loadModel('runs/flowers'), 'A');
 */
export function convert(model: SavedModel, form: Form): SavedModel {
  const config = { ...model.description.config, form };
  const description = { ...model.description, config };
  if (!model.weights) return { description, graph: convertWhole(model.graph, form) };
  return assemble(description, model.weights);
}
