/** Reads the files in `test/golden`, which contain PyTorch's results. */
import { fileURLToPath } from 'node:url';
import type { Tensor } from '../src/tensor.ts';
import { readSafetensorsFile } from '../src/weights/files.ts';

export interface Golden {
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The tensor with this name, which must exist. */
  get(name: string): Tensor;
  /** The tensors whose names have this prefix, without the prefix. */
  under(prefix: string): Map<string, Tensor>;
  /** A parsed metadata entry. */
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
