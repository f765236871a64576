/**
 * Models as files. A trained model is `model.safetensors` (torchvision's names) with `model.json` beside it; the weights
 * file holds the same description, so it is enough by itself. An exported model is one ONNX file. Weights of others are
 * recognized by their tensors, with the help of the hub's `config.json` where one lies beside them.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { type HubConfig, readHubConfig } from '../checkpoints/hub-config.ts';
import { FormatError, UsageError } from '../errors.ts';
import { makeFolder, writeFileAtomically } from '../files.ts';
import { resnext } from '../model/resnext.ts';
import { stateDict, type Weights } from '../model/weights.ts';
import { readOnnxFile } from '../onnx/files.ts';
import { folderFiles, openStateDict, writeSafetensorsFile } from '../weights/files.ts';
import { descriptionKey, type ModelDescription, writeDescription } from './description.ts';
import { fromStateDict, withChannels } from './external.ts';
import type { SavedModel } from './model.ts';
import { describedOnnx, describedWeights, type LoadOptions, pathHints } from './read.ts';

/**
 * Reads a model: the folder of a training run or of the hub, a file of weights whoever saved it, or an `.onnx` file that
 * this package exported.
 *
 * @throws UsageError when there is no such file; FormatError when it is not sound, or no ResNeXt.
 * @example const { description, graph, weights } = await loadModel('resnext50_32x4d-7cdf4587.pth');
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<SavedModel> {
  const file = modelFile(path);
  const model =
    extname(file) === '.onnx' ? describedOnnx(await readOnnxFile(file), file) : await loadWeights(file, options);
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
  const own = describedWeights(stored, file, { lazy });
  if (own) return own;
  const { hub, notes } = hubConfig(file);
  const noted = { ...stored, notes: [...stored.notes, ...notes] };
  return fromStateDict(noted, { ...pathHints(resolve(file)), ...changes, source: file, hub, lazy });
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
