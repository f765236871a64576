/** Opens a model by whatever a person has of it. This is the one place where a name is told from a path. */
import { Classifier } from './classifier.ts';
import type { ClassifierOptions } from './open.ts';

/**
 * Opens a model for classifying, features and evaluation.
 *
 * @param nameOrFile a run folder, a `.safetensors` or an `.onnx` file.
 * @throws UsageError when there is no such model, FormatError when the file is no model.
 * @example
 * const model = await load('runs/flowers');
 * const [best] = await model.classify('rose.jpg');
 */
export const load = (nameOrFile: string, options: ClassifierOptions = {}): Promise<Classifier> =>
  Classifier.open(nameOrFile, options);
