/** Saved models from form to form. Numbers are moved, not computed: there and back gives the same bits. */
import type { Form } from '../model/config.ts';
import { resnext } from '../model/resnext.ts';
import { setWeights } from '../model/weights.ts';
import { convertGraph } from '../rewrite/convert.ts';
import type { SavedModel } from './files.ts';

/**
 * The same model with its blocks written in another form.
 *
 * @example const inBranches = convert(await loadModel('runs/flowers'), 'A');
 */
export function convert(model: SavedModel, form: Form): SavedModel {
  const config = { ...model.description.config, form };
  const description = { ...model.description, config };
  if (!model.weights) return { description, graph: convertGraph(model.graph, form).graph };
  const built = resnext(config);
  setWeights(built, model.weights);
  return { description, graph: built.graph, weights: model.weights };
}
