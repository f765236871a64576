/** Reads the files of `test/golden`, which say what PyTorch computes. */
import { fileURLToPath } from 'node:url';
import type { Tensor } from '../src/tensor.ts';
import { readSafetensorsFile } from '../src/weights/files.ts';

export interface Golden {
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The tensor, which must be there. */
  get(name: string): Tensor;
  /** The tensors whose names begin so, without this beginning. */
  under(prefix: string): Map<string, Tensor>;
  /** An entry of the metadata, parsed. */
  metadata<T>(key: string): T;
}

export async function readGolden(name: string): Promise<Golden> {
  const path = fileURLToPath(new URL(`golden/${name}.safetensors`, import.meta.url));
  const { tensors, metadata } = await readSafetensorsFile(path);
  return {
    tensors,
    get: (key) => {
      const found = tensors.get(key);
      if (!found) throw new Error(`${name} has no tensor "${key}".`);
      return found;
    },
    under: (prefix) => {
      const entries = [...tensors].filter(([key]) => key.startsWith(prefix));
      return new Map(entries.map(([key, value]) => [key.slice(prefix.length), value]));
    },
    metadata: (key) => JSON.parse(metadata.get(key)!),
  };
}
