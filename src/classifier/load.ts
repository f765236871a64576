/** Opens a model by its name, path or URL, or the default model. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkArgument, checkOptions, type FieldsOf, isOf, kind } from '../arguments.ts';
import { FormatError } from '../errors.ts';
import { type PullOptions, pullFields } from '../hub/pull.ts';
import { resolveModel } from '../hub/resolve.ts';
import { defaultModelFile } from '../hub/shipped.ts';
import { pick } from '../options.ts';
import { Classifier } from './classifier.ts';
import { type ClassifierOptions, classifierFields } from './open.ts';
import { type FileOptions, fileFields, openFile } from './open-file.ts';

/** How a model is downloaded, cached and opened. */
export interface LoadOptions extends FileOptions, PullOptions {}

/** `LoadOptions` with their checks. */
export const loadFields: FieldsOf<LoadOptions> = { ...fileFields, ...pullFields };

/** A model that a user names. */
export const modelName = kind('the path or the name of a model, or a URL', (value) => {
  return (typeof value === 'string' && value !== '') || isOf(value, 'URL');
});

const textOf = (nameOrFile: string | URL): string => {
  const { href } = typeof nameOrFile === 'string' ? { href: nameOrFile } : nameOrFile;
  return /^file:/i.test(href) ? fileURLToPath(href) : href;
};

/**
 * Opens a model for classification, features and evaluation. Published weights are downloaded if they are not cached.
 *
 * @param nameOrFile a run folder; a file of weights from any supported program; an `.onnx` file of this package; the name of
 *   a model that ships with it or of published weights; a repository on the Hugging Face hub; or a URL. Default: the shipped
 *   `cifar10`.
 * @throws UsageError if there is no such model or it cannot be downloaded, FormatError if the file is not a model.
 * @example
 * const model = await load('resnext50_32x4d.tv2_in1k');
 * const [best] = await model.classify('cat.jpg');
 */
export async function load(
  nameOrFile: string | URL = defaultModelFile(),
  options: LoadOptions = {},
): Promise<Classifier> {
  checkArgument('nameOrFile', nameOrFile, modelName);
  checkOptions(loadFields, options);
  return withModelFile(nameOrFile, options, async (path) =>
    Classifier.of(await openFile(path, options), pick<ClassifierOptions>(classifierFields, options)),
  );
}

/** Opens the file of a model that a user names. A damaged file in a cache of downloads is downloaded again. */
export async function withModelFile<T>(
  nameOrFile: string | URL,
  options: LoadOptions,
  open: (path: string) => Promise<T>,
): Promise<T> {
  const name = textOf(nameOrFile);
  const pulling = pick<PullOptions>(pullFields, options);
  try {
    return await open((await resolveModel(name, pulling)).path);
  } catch (error) {
    if (!(error instanceof FormatError) || pulling.verify || existsSync(name)) throw error;
    return open((await resolveModel(name, { ...pulling, verify: true })).path);
  }
}
