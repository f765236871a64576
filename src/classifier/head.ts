/** A model for other classes: everything is kept but the classifier, which starts anew. */
import { UsageError } from '../errors.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { setWeights } from '../model/weights.ts';
import type { SavedModel } from './files.ts';

/**
 * The same net with a fresh head, seeded; the weights of everything else are shared with the model, not copied.
 *
 * @param classes their names, or how many there are.
 * @throws UsageError when there are no classes, or the model's weights are folded away.
 * @example const start = withClasses(await loadModel('runs/flowers'), ['oak', 'elm', 'ash']);
 */
export function withClasses(model: SavedModel, classes: readonly string[] | number, seed = 1): SavedModel {
  const count = typeof classes === 'number' ? classes : classes.length;
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new UsageError(`classes = ${count} should be a whole number of at least 1.`);
  }
  if (!model.weights) {
    throw new UsageError('The model has no weights of its own, as after folding; load the one it was made of.');
  }
  const names = typeof classes === 'number' ? Array.from({ length: count }, (_, k) => `class ${k}`) : classes;
  const config = { ...model.description.config, classes: count };
  const built = resnext(config);
  const head = [...initialWeights(built, seed)].filter(([name]) => name.startsWith('fc.'));
  const weights = new Map([...model.weights, ...head]);
  setWeights(built, weights);
  return { description: { ...model.description, config, classes: names, metrics: {} }, graph: built.graph, weights };
}
