/** Weights files on disk (Node only), read and written one tensor at a time so that no copy of the data is held. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkArgument, checkOptions, path as pathKind } from '../arguments.ts';
import { FormatError, UsageError } from '../errors.ts';
import { statIfPresent, withFile, writeFileAtomically } from '../files.ts';
import type { Tensor } from '../tensor.ts';
import { underPrefix } from './nested.ts';
import { readStateDict } from './read.ts';
import { readSafetensorsFrom, type Safetensors, safetensorsChunks } from './safetensors.ts';
import { readSharded } from './sharded.ts';
import type { Source } from './source.ts';
import { type StateDict, type StateDictOptions, stateDictFields } from './state-dict.ts';

/** File names to look for in a folder downloaded from the Hugging Face hub, in order of preference. */
export const folderFiles: readonly string[] = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];

/**
 * Opens a weights file in any supported container, the shards listed in an index, or a folder with
 * `model.safetensors`, `model.safetensors.index.json`, `pytorch_model.bin` or `pytorch_model.bin.index.json`. A tensor's
 * elements are read by `read()`.
 *
 * @throws UsageError if there is no such file, or nothing is under `key`; FormatError if it is damaged or
 *   has no weights.
 * @example
 * const { tensors, notes } = await openStateDict('resnext50_32x4d-7cdf4587.pth');
 * const weight = toFloat32(tensors.get('conv1.weight')!.read()); // [64, 3, 7, 7]
 */
export async function openStateDict(path: string, options: StateDictOptions = {}): Promise<StateDict> {
  checkArgument('path', path, pathKind);
  checkOptions(stateDictFields, options);
  const file = statIfPresent(path)?.isDirectory() ? fileIn(path) : path;
  const source = fileSource(file);
  if (!isJson(source)) return readStateDict(source, file, options);
  const opened = await readSharded(source, file, (shard) => fileSource(join(dirname(file), shard)));
  return options.key === undefined ? opened : underPrefix(opened, options.key, file);
}

function fileIn(folder: string): string {
  const found = folderFiles.find((file) => existsSync(join(folder, file)));
  if (found) return join(folder, found);
  throw new UsageError(`The folder "${folder}" has no weights, but expected one of ${folderFiles.join(', ')} in it.`);
}

function isJson(source: Source): boolean {
  const head = new Uint8Array(16);
  source.fill(head, 0);
  return String.fromCharCode(...head)
    .trimStart()
    .startsWith('{');
}

/**
 * A file as a source. Every read opens and closes the file, so the source needs no closing; a file that changes between
 * two reads is refused.
 *
 * @throws UsageError if the file does not exist or cannot be read.
 */
export function fileSource(path: string): Source {
  checkArgument('path', path, pathKind);
  const { size, modified } = withFile(path, (file) => file);
  const fill = (target: Uint8Array, offset: number): number =>
    withFile(path, (file) => {
      if (file.size !== size || file.modified !== modified) {
        throw new FormatError(`${path} changed while it was being read. Open it again.`);
      }
      return file.fill(target, offset);
    });
  return { size, fill };
}

/**
 * Reads all tensors of a safetensors file.
 *
 * @throws UsageError if the file cannot be read, FormatError if it is not a complete safetensors file.
 * @example const { tensors } = await readSafetensorsFile('runs/flowers/model.safetensors');
 */
export async function readSafetensorsFile(path: string): Promise<Safetensors> {
  checkArgument('path', path, pathKind);
  return withFile(path, (file) => readSafetensorsFrom(file, path));
}

/**
 * Writes tensors to a safetensors file, in the given order. An existing file at `path` is replaced atomically.
 *
 * @throws UsageError if the file cannot be written, or the tensors do not fit the format (see `writeSafetensors`).
 * @example await writeSafetensorsFile('model.safetensors', stateDict(model, weights));
 */
export async function writeSafetensorsFile(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata?: ReadonlyMap<string, string>,
): Promise<void> {
  checkArgument('path', path, pathKind);
  await writeFileAtomically(path, safetensorsChunks(tensors, metadata));
}
