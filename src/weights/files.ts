/** Safetensors files on disk, in Node, one tensor at a time: neither direction holds the data twice. */
import { withFile, writeFileAtomically } from '../files.ts';
import type { Tensor } from '../tensor.ts';
import { readSafetensorsFrom, type Safetensors, safetensorsChunks } from './safetensors.ts';

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
