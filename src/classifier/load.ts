/** Opens a model by its name, path or URL. */
import type { PullOptions } from '../hub/pull.ts';
import { resolveModel } from '../hub/resolve.ts';
import { Classifier } from './classifier.ts';
import { type FileOptions, openFile } from './open-file.ts';

export interface LoadOptions extends FileOptions, PullOptions {}

/**
 * Opens a model for classification, features and evaluation. Published weights are downloaded if they are not cached.
 *
 * @param nameOrFile a run folder; a file of weights from any supported program; an `.onnx` file of this package; the name of
 *   published weights; a repository on the Hugging Face hub; or a URL.
 * @throws UsageError if there is no such model or it cannot be downloaded, FormatError if the file is not a model.
 * @example
 * const model = await load('resnext50_32x4d.tv2_in1k');
 * const [best] = await model.classify('cat.jpg');
 */
export async function load(nameOrFile: string, options: LoadOptions = {}): Promise<Classifier> {
  const { path } = await resolveModel(nameOrFile, options);
  return Classifier.of(await openFile(path, options), options);
}
