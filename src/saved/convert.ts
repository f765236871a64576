/** Converts saved models between forms. Weights are moved, not computed, so a round trip is bit-exact. */
import { checkArgument } from '../arguments.ts';
import { type Form, formKind } from '../model/config.ts';
import { convertWhole } from '../rewrite/convert.ts';
import { reassemble, type SavedModel, savedModelKind } from './model.ts';

/**
 * The same model with its blocks in another form. The graph of an ONNX file is rewritten by its structure.
 *
 * @throws UsageError naming the node because of which a block in the graph of an ONNX file cannot be converted.
 * @example const inBranches = convert(await loadModel('runs/flowers'), 'A');
 */
export function convert(model: SavedModel, form: Form): SavedModel {
  checkArgument('model', model, savedModelKind);
  checkArgument('form', form, formKind);
  const config = { ...model.description.config, form };
  const description = { ...model.description, config };
  if (!model.weights) return { description, graph: convertWhole(model.graph, form) };
  return reassemble(model, description, model.weights);
}
