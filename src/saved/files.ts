/**
 * Models as files. A trained model is `model.safetensors` (torchvision's names) with `model.json` beside it; the weights
 * file holds the same description, so it is enough by itself. An exported model is one ONNX file. Weights of others are
 * recognized by their tensors, with the help of the hub's `config.json` where one lies beside them.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import type { PublishedWeights } from '../catalog/entry.ts';
import { weightsOfPath } from '../catalog/published.ts';
import { type HubConfig, readHubConfig } from '../checkpoints/hub-config.ts';
import { type ImportOptions, importWeights } from '../checkpoints/import.ts';
import { FormatError, UsageError } from '../errors.ts';
import { makeFolder, writeFileAtomically } from '../files.ts';
import type { Graph } from '../graph/graph.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { countNames, gatherWeights, stateDict, type Weights, weightSpecs } from '../model/weights.ts';
import { readOnnxFile } from '../onnx/files.ts';
import type { Tensor } from '../tensor.ts';
import { folderFiles, openStateDict, writeSafetensorsFile } from '../weights/files.ts';
import { floatTensor, type StateDict } from '../weights/state-dict.ts';
import { descriptionKey, type ModelDescription, readDescription, writeDescription } from './description.ts';
import { fromStateDict, withChannels } from './external.ts';
import { assemble, type SavedModel } from './model.ts';
import { unwrap } from './wrappers.ts';

export interface LoadOptions {
  /**
   * Leave weights in their file and read each anew whenever its `data` is asked for: for who looks at each once. The file
   * must stay as it is. An ONNX file is read whole.
   */
  readonly lazy?: boolean;
  /** 1 for grayscale or 3 for color: a stem for other channels is adapted, and the preprocessing with it. */
  readonly inputChannels?: 1 | 3;
}

/**
 * Reads a model: the folder of a training run or of the hub, a file of weights whoever saved it, or an `.onnx` file that
 * this package exported.
 *
 * @throws UsageError when there is no such file; FormatError when it is not sound, or no ResNeXt.
 * @example const { description, graph, weights } = await loadModel('resnext50_32x4d-7cdf4587.pth');
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<SavedModel> {
  const file = modelFile(path);
  const model = extname(file) === '.onnx' ? await loadOnnx(file) : await loadWeights(file, options);
  return options.inputChannels === undefined ? model : withChannels(model, options.inputChannels);
}

const modelFiles = [...folderFiles, 'onnx/model.onnx'];

/** The file that a model's path leads to. */
export function modelFile(path: string): string {
  if (!existsSync(path)) throw new UsageError(`There is no model at "${path}".`);
  if (!statSync(path).isDirectory()) return path;
  const file = modelFiles.map((name) => join(path, name)).find((candidate) => existsSync(candidate));
  if (!file) throw new UsageError(`The folder "${path}" has no model.safetensors; has its training finished an epoch?`);
  return file;
}

async function loadWeights(file: string, { lazy = false, ...changes }: LoadOptions): Promise<SavedModel> {
  const stored = await openStateDict(file);
  const text = stored.metadata.get(descriptionKey);
  if (text) return described(stored, readDescription(text, file), file, lazy);
  const { hub, notes } = hubConfig(file);
  const noted = { ...stored, notes: [...stored.notes, ...notes] };
  return fromStateDict(noted, { ...pathHints(file), ...changes, source: file, hub, lazy });
}

/** What a file's path tells of the weights of others. The hub's cache keeps files two folders below a model's name. */
export function pathHints(file: string): { readonly hint: string; readonly entry: PublishedWeights | undefined } {
  const path = resolve(file);
  return { hint: path.split(/[/\\]/).slice(-4).join('/'), entry: weightsOfPath(path) };
}

/** A model of this package. Its weights have our names, in its own form or in form C, or those of a layout. */
function described(stored: StateDict, description: ModelDescription, source: string, lazy: boolean): SavedModel {
  const weights = weightsUnder(resnext(description.config), stored, { source, hint: description.variant, lazy });
  return assemble(description, weights);
}

function weightsUnder(model: Model, { tensors }: StateDict, options: ImportOptions & LoadOptions): Weights {
  const read = (name: string) => floatTensor(tensors.get(name)!, options.lazy === true);
  const formC = weightSpecs(model);
  const isInBranches = model.config.form !== 'C' && model.parameters.every(({ value }) => tensors.has(value.name));
  if (isInBranches) return gatherWeights(model, ({ value }) => read(value.name));
  if (!formC.every(({ name }) => tensors.has(name))) return importWeights(tensors, options).weights;
  const counts = countNames(model).flatMap((name) => {
    const stored = tensors.get(name);
    return stored ? [[name, stored.read()] as const] : [];
  });
  return new Map([...formC.map(({ name }): [string, Tensor] => [name, read(name)]), ...counts]);
}

/** What the hub says beside a file of weights, if anything. Many programs have a `config.json`. */
function hubConfig(file: string): { readonly hub: HubConfig; readonly notes: readonly string[] } {
  const path = join(dirname(file), 'config.json');
  if (!existsSync(path)) return { hub: {}, notes: [] };
  try {
    return { hub: readHubConfig(readFileSync(path, 'utf8'), path), notes: [] };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { hub: {}, notes: [`${error.message} It was left aside.`] };
  }
}

async function loadOnnx(file: string): Promise<SavedModel> {
  const model = describedModel(await readOnnxFile(file), file);
  if (model) return model;
  throw new FormatError(`${file}: the file does not say which model it is; it was not exported by this package.`);
}

/**
 * The model that an ONNX file's graph says it is; undefined for graphs of others. What was built in beside the net is
 * taken out of the graph, in place.
 *
 * @throws FormatError when the graph is not what its description says.
 */
export function describedModel(graph: Graph, file: string): SavedModel | undefined {
  const text = graph.metadata.get(descriptionKey);
  if (!text) return undefined;
  const { wrappers = [], ...description } = readDescription(text, file);
  unwrap(graph, wrappers, file);
  const contents = new Map([...graph.initializers].flatMap(({ name, tensor }) => (tensor ? [[name, tensor]] : [])));
  const weights = weightsOf(resnext(description.config), contents);
  return { description, graph, ...(weights && { weights }) };
}

/** Form C weights from tensors under the names of the model's own form, if they are all there. */
function weightsOf(model: Model, tensors: Weights): Map<string, Tensor> | undefined {
  if (!model.parameters.every(({ value }) => tensors.has(value.name))) return undefined;
  return gatherWeights(model, ({ value }) => tensors.get(value.name));
}

/**
 * Writes `model.safetensors` and `model.json` into a folder, which is made.
 *
 * @param weights in form C.
 * @param batchesTracked training steps behind the running statistics, for torchvision's `num_batches_tracked`.
 * @throws UsageError when a tensor is missing or has another shape, or the file system refuses.
 * @example await saveModel('runs/copy', description, weights);
 */
export async function saveModel(
  folder: string,
  description: ModelDescription,
  weights: Weights,
  batchesTracked = 0,
): Promise<void> {
  await makeFolder(folder);
  const tensors = stateDict(resnext(description.config), weights, batchesTracked);
  await writeSafetensorsFile(join(folder, 'model.safetensors'), tensors, metadataOf(description));
  const text = writeDescription(description);
  await writeFileAtomically(join(folder, 'model.json'), `${text}\n`);
}

/** Writes a weights file under the names of the model's own form, as `resnext` builds it: branches stay branches. */
export async function writeModelFile(path: string, { description, graph }: SavedModel): Promise<void> {
  await makeFolder(dirname(path));
  const tensors = [...graph.initializers].flatMap(({ name, tensor }) =>
    tensor?.dtype === 'float32' ? [[name, tensor] as const] : [],
  );
  await writeSafetensorsFile(path, new Map(tensors), metadataOf(description));
}

/** What a weights file says beside its tensors: whose layout it has, and what model it is. */
const metadataOf = (description: ModelDescription): Map<string, string> =>
  new Map([
    ['format', 'pt'],
    [descriptionKey, writeDescription(description)],
  ]);
