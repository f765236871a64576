/**
 * Models as files. A trained model is `model.safetensors` (torchvision's names) with `model.json` beside it; the weights
 * file holds the same description, so it is enough by itself. An exported model is one ONNX file.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { FormatError, UsageError } from '../errors.ts';
import { makeFolder, writeFileAtomically } from '../files.ts';
import type { Graph } from '../graph/graph.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { gatherWeights, setWeights, stateDict, type Weights } from '../model/weights.ts';
import { readOnnxFile } from '../onnx/files.ts';
import type { Tensor } from '../tensor.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../weights/files.ts';
import { takeOut } from './built-in.ts';
import { descriptionKey, type ModelDescription, readDescription, writeDescription } from './description.ts';

/** A graph that is ready to run, and what it is. */
export interface SavedModel {
  readonly description: ModelDescription;
  readonly graph: Graph;
  /** In form C; absent where an ONNX file's nodes no longer have their own weights, as after folding. */
  readonly weights?: Weights;
}

/**
 * Reads a model: the folder of a training run, a `.safetensors` file of this package, or an `.onnx` file it exported.
 *
 * @throws UsageError when there is no such file; FormatError when it is not a model or says nothing about itself.
 * @example const { description, graph, weights } = await loadModel('runs/flowers');
 */
export async function loadModel(path: string): Promise<SavedModel> {
  const file = modelFile(path);
  return extname(file) === '.onnx' ? loadOnnx(file) : loadSafetensors(file);
}

/** The file that a model's path leads to. */
export function modelFile(path: string): string {
  if (!existsSync(path)) throw new UsageError(`There is no model at "${path}".`);
  if (!statSync(path).isDirectory()) return path;
  const file = join(path, 'model.safetensors');
  if (!existsSync(file))
    throw new UsageError(`The folder "${path}" has no model.safetensors; has its training finished an epoch?`);
  return file;
}

async function loadSafetensors(file: string): Promise<SavedModel> {
  const { tensors, metadata } = await readSafetensorsFile(file);
  const text = metadata.get(descriptionKey);
  if (!text)
    throw new FormatError(`${file}: the file does not say which model it is; it was not saved by this package.`);
  const description = readDescription(text, file);
  const model = resnext(description.config);
  const weights = weightsOf(model, tensors) ?? tensors;
  setWeights(model, weights);
  return { description, graph: model.graph, weights };
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
  const { builtIn = [], ...description } = readDescription(text, file);
  takeOut(graph, builtIn, file);
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
  await writeFileAtomically(join(folder, 'model.json'), [new TextEncoder().encode(`${text}\n`)]);
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
