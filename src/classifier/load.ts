/** Opens a model by whatever a person has of it. Only here are names and paths told apart. */
import type { PullOptions } from '../hub/pull.ts';
import { resolveModel } from '../hub/resolve.ts';
import { Classifier } from './classifier.ts';
import { type FileOptions, openFile } from './open-file.ts';

export interface LoadOptions extends FileOptions, PullOptions {}

/**
 * Opens a model for classifying, features and evaluation. Published weights are downloaded first, unless a cache has them.
 *
 * @param nameOrFile a run folder; a file of weights, whoever saved it; an `.onnx` file of this package; published weights
 *   by name; a repository of the Hugging Face hub; an address.
 * @throws UsageError when there is no such model or it cannot be had, FormatError when the file is no model.
 * @example
 * const model = await load('resnext50_32x4d.tv2_in1k');
 * const [best] = await model.classify('cat.jpg');
 */
export async function load(nameOrFile: string, options: LoadOptions = {}): Promise<Classifier> {
  const { path } = await resolveModel(nameOrFile, options);
  return Classifier.of(await openFile(path, options), options);
}
