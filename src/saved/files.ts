/**
 * Models as files. A trained model is `model.safetensors` (torchvision's names) and `model.json`; the weights file
 * contains the same description, so it is sufficient by itself. An exported model is one ONNX file. External weights
 * are recognized by their tensors, and by the hub's `config.json` if there is one in the same folder.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { checkArgument, checkOptions, map, path as pathKind } from '../arguments.ts';
import { type HubConfig, readHubConfig } from '../checkpoints/hub-config.ts';
import { FormatError, UsageError } from '../errors.ts';
import { readable, writeFileAtomically } from '../files.ts';
import { resnext } from '../model/resnext.ts';
import { stateDict, type Weights } from '../model/weights.ts';
import { suggestFolder } from '../near-path.ts';
import { isOnnxFile, readOnnxFile } from '../onnx/files.ts';
import { folderFiles, openStateDict, writeSafetensorsFile } from '../weights/files.ts';
import { descriptionKind, type ModelDescription, weightsMetadata, writeModelJson } from './description.ts';
import { fromStateDict, withChannels } from './external.ts';
import type { SavedModel } from './model.ts';
import { describedOnnx, describedWeights, type LoadOptions, loadFields, pathHints, stateDictOptions } from './read.ts';

/**
 * Reads a model: the folder of a training run or from the hub, a weights file in any naming scheme, or an `.onnx` file
 * exported by this package.
 *
 * @throws UsageError if there is no such file, or nothing under `key`; FormatError if it is damaged or not a ResNeXt, or a
 *   weight is NaN or infinite.
 * @example const { description, graph, weights } = await loadModel('resnext50_32x4d-7cdf4587.pth');
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<SavedModel> {
  checkArgument('path', path, pathKind);
  checkOptions(loadFields, options);
  const file = modelFile(path);
  const isOnnx = isOnnxFile(file);
  if (isOnnx && options.key !== undefined) {
    throw new UsageError(`"${file}" has one network, so it has no keys. Leave out the key.`);
  }
  const model = isOnnx ? describedOnnx(await readOnnxFile(file), file) : await loadWeights(file, options);
  return options.inputChannels === undefined ? model : withChannels(model, options.inputChannels);
}

const modelFiles = [...folderFiles, 'onnx/model.onnx'];

/** The model file at a path, which may be a folder or a file that describes the model in its folder. */
export function modelFile(path: string): string {
  if (!existsSync(path)) throw new UsageError(`There is no model at "${path}".`);
  if (!statSync(path).isDirectory()) return (besideModel.includes(basename(path)) && fileIn(dirname(path))) || path;
  const file = fileIn(path);
  if (file) return file;
  const meant = suggestFolder(path, (folder) => fileIn(folder) !== undefined);
  throw new UsageError(
    `The folder "${path}" has no model.safetensors.${meant || ' If it is a training run, it has not finished its first epoch yet.'}`,
  );
}

/** Files that describe the model in their folder, which stands for them. */
const besideModel = ['model.json', 'config.json', 'run.json', 'split.json', 'metrics.jsonl'];

const fileIn = (folder: string): string | undefined =>
  modelFiles.map((name) => join(folder, name)).find((candidate) => existsSync(candidate));

async function loadWeights(file: string, { lazy = false, key, ...changes }: LoadOptions): Promise<SavedModel> {
  const stored = await openStateDict(file, stateDictOptions(key));
  const own = describedWeights(stored, file, { lazy });
  if (own) return own;
  const { hub, notes } = hubConfig(file);
  const noted = { ...stored, notes: [...stored.notes, ...notes] };
  return fromStateDict(noted, { ...pathHints(resolve(file)), ...changes, source: file, hub, lazy });
}

/** With descriptions of 22,000 classes, it takes 2 MB. */
const maxHubConfig = 2 ** 22;

/** The hub's `config.json` next to a weights file, if any. Other programs also use that file name. */
function hubConfig(file: string): { readonly hub: HubConfig; readonly notes: readonly string[] } {
  const path = join(dirname(file), 'config.json');
  if (!existsSync(path)) return { hub: {}, notes: [] };
  try {
    const { size } = statSync(readable(path));
    if (size > maxHubConfig) {
      throw new FormatError(`${path} has ${size} bytes, but expected at most ${maxHubConfig}.`);
    }
    return { hub: readHubConfig(readFileSync(path, 'utf8'), path), notes: [] };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { hub: {}, notes: [`${error.message} It was ignored.`] };
  }
}

/**
 * Writes `model.safetensors` and `model.json` into a folder, creating it if necessary.
 *
 * @param weights in form C.
 * @param batchesTracked the number of training steps in the statistics, for torchvision's `num_batches_tracked`.
 * @throws UsageError if a tensor is missing, has the wrong shape, or has elements that are NaN or infinite, or a file
 *   cannot be written.
 * @example await saveModel('runs/copy', description, weights);
 */
export async function saveModel(
  folder: string,
  description: ModelDescription,
  weights: Weights,
  batchesTracked = 0,
): Promise<void> {
  checkArgument('folder', folder, pathKind);
  checkArgument('description', description, descriptionKind);
  checkArgument('weights', weights, map);
  const tensors = stateDict(resnext(description.config), weights, batchesTracked);
  await writeSafetensorsFile(join(folder, 'model.safetensors'), tensors, weightsMetadata(description));
  await writeFileAtomically(join(folder, 'model.json'), writeModelJson(description));
}

/** Writes a weights file with the names of the model's own form: in forms A and B, one tensor per branch. */
export async function writeModelFile(path: string, { description, graph }: SavedModel): Promise<void> {
  const tensors = [...graph.initializers].flatMap(({ name, tensor }) =>
    tensor?.dtype === 'float32' ? [[name, tensor] as const] : [],
  );
  await writeSafetensorsFile(path, new Map(tensors), weightsMetadata(description));
}
