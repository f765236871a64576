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
 * @throws UsageError when there are no classes or two of one name, or the model's weights are folded away.
 * @example const start = withClasses(await loadModel('runs/flowers'), ['oak', 'elm', 'ash']);
 */
export function withClasses(model: SavedModel, classes: number | readonly string[], seed = 0): SavedModel {
  const names = namesOf(classes);
  const { description, weights } = model;
  if (!weights) {
    throw new UsageError(
      `The model ${description.variant} is an ONNX file without weights of its own layers; take the file it was exported from.`,
    );
  }
  const config = { ...description.config, classes: names.length };
  const built = resnext(config);
  const kept = [...weights].filter(([name]) => !name.startsWith('fc.'));
  const fresh = [...initialWeights(built, seed)].filter(([name]) => name.startsWith('fc.'));
  const adapted = new Map([...kept, ...fresh]);
  setWeights(built, adapted);
  return {
    description: { ...description, config, classes: names, metrics: {} },
    graph: built.graph,
    weights: adapted,
  };
}

function namesOf(classes: number | readonly string[]): readonly string[] {
  const names = typeof classes === 'number' ? Array.from({ length: classes }, (_, k) => `class ${k}`) : classes;
  if (names.length === 0 || (typeof classes === 'number' && !Number.isInteger(classes))) {
    throw new UsageError(
      `classes is ${typeof classes === 'number' ? classes : 'an empty list'}, but expected one or more.`,
    );
  }
  const twice = names.find((name, k) => names.indexOf(name) !== k);
  if (twice !== undefined) throw new UsageError(`Two classes are called "${twice}"; give each a name of its own.`);
  return names;
}
