/** Files of weights on disk, in Node, one tensor at a time: neither direction holds the data twice. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FormatError, UsageError } from '../errors.ts';
import { withFile, writeFileAtomically } from '../files.ts';
import type { Tensor } from '../tensor.ts';
import { readStateDict } from './read.ts';
import { readSafetensorsFrom, type Safetensors, safetensorsChunks } from './safetensors.ts';
import { readSharded } from './sharded.ts';
import type { Source } from './source.ts';
import type { StateDict } from './state-dict.ts';

/** What a folder of the Hugging Face hub's may hold, the first that is there is taken. */
export const folderFiles: readonly string[] = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
];

/**
 * The tensors in a file of weights, whatever container it is, in the shards of an index, or in a folder with
 * `model.safetensors`, `model.safetensors.index.json` or `pytorch_model.bin`. Elements are read when `read()` asks.
 *
 * @throws UsageError when there is no such file, FormatError when it is not sound or names what weights do not need.
 * @example
 * const { tensors, notes } = await openStateDict('resnext50_32x4d-7cdf4587.pth');
 * const weight = toFloat32(tensors.get('conv1.weight')!.read()); // [64, 3, 7, 7]
 */
export async function openStateDict(path: string): Promise<StateDict> {
  const file = statSync(path, { throwIfNoEntry: false })?.isDirectory() ? fileIn(path) : path;
  const source = fileSource(file);
  if (!isJson(source)) return readStateDict(source, file);
  return readSharded(source, file, (shard) => fileSource(join(dirname(file), shard)));
}

function fileIn(folder: string): string {
  const found = folderFiles.find((file) => existsSync(join(folder, file)));
  if (found) return join(folder, found);
  throw new UsageError(`The folder "${folder}" holds no weights: expected ${folderFiles.join(', ')} in it.`);
}

function isJson(source: Source): boolean {
  const head = new Uint8Array(16);
  source.fill(head, 0);
  return String.fromCharCode(...head)
    .trimStart()
    .startsWith('{');
}

/**
 * A file as a source. It is opened for each reading and closed again, so that there is nothing to close; a file that
 * was changed in between is refused.
 *
 * @throws UsageError when there is no such file, or it may not be read.
 */
export function fileSource(path: string): Source {
  const { size, modified } = withFile(path, (file) => file);
  const fill = (target: Uint8Array, offset: number): number =>
    withFile(path, (file) => {
      if (file.size !== size || file.modified !== modified) {
        throw new FormatError(`${path} was changed while it was read. Open it again.`);
      }
      return file.fill(target, offset);
    });
  return { size, fill };
}

/**
 * The tensors of a safetensors file.
 *
 * @throws UsageError when the file cannot be read, FormatError when it is not a whole safetensors file.
 * @example const { tensors } = await readSafetensorsFile('runs/flowers/model.safetensors');
 */
export async function readSafetensorsFile(path: string): Promise<Safetensors> {
  return withFile(path, (file) => readSafetensorsFrom(file, path));
}

/**
 * Writes tensors as a safetensors file, in the order given. What was at `path` stays whole until the new file is.
 *
 * @throws UsageError when the file system refuses, or the format does (`writeSafetensors`).
 * @example await writeSafetensorsFile('model.safetensors', stateDict(model, weights));
 */
export async function writeSafetensorsFile(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata?: ReadonlyMap<string, string>,
): Promise<void> {
  await writeFileAtomically(path, safetensorsChunks(tensors, metadata));
}
