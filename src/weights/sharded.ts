/**
 * Weights split over several files, of safetensors or of PyTorch, with an index: `{ metadata, weight_map: { tensor: file } }`.
 * Shards must be plain file names, so an index cannot point outside its own folder, and each tensor must be in the listed
 * shard.
 */
import { FormatError } from '../errors.ts';
import { parseBoundedJson } from './json.ts';
import { readStateDict } from './read.ts';
import { fillWhole, type Source } from './source.ts';
import type { StateDict, StoredTensor } from './state-dict.ts';

const indexLimit = 1 << 23;
const shardLimit = 1000;

/**
 * The tensors of all shards, in the order of `weight_map`. `shard` opens a file by its name in the index.
 *
 * @throws FormatError if the index or a shard is damaged, or they do not match.
 * @example await readSharded(bytesSource(index), 'model.safetensors.index.json', (file) => bytesSource(files.get(file)!))
 */
export async function readSharded(index: Source, name: string, shard: (file: string) => Source): Promise<StateDict> {
  const map = readMap(index, name);
  const shards = new Map<string, StateDict>();
  const tensors = new Map<string, StoredTensor>();
  const metadata = new Map<string, string>();
  for (const [key, file] of map) {
    const opened = shards.get(file) ?? (await readStateDict(shard(file), `${name}, ${file}`));
    if (!shards.has(file)) for (const [entry, text] of opened.metadata) metadata.set(entry, text);
    shards.set(file, opened);
    const stored = opened.tensors.get(key);
    if (!stored) throw new FormatError(`${name} lists "${key}" in ${file}, but that file does not contain it.`);
    tensors.set(key, stored);
  }
  const total = [...shards.values()].reduce((sum, { tensors: held }) => sum + held.size, 0);
  const rest = total - tensors.size;
  const notes = rest > 0 ? [`Skipped ${rest} tensors in the shards that the index does not list.`] : [];
  const classes = [...shards.values()].flatMap((opened) => opened.classes ?? []);
  return { tensors, metadata, classes, notes };
}

/**
 * The names of the files that an index lists.
 *
 * @throws FormatError if it is not an index of files in its own folder.
 * @example shardsOf(bytesSource(index), 'model.safetensors.index.json') // ['model-00001-of-00002.safetensors', …]
 */
export const shardsOf = (index: Source, name: string): string[] => [
  ...new Set(readMap(index, name).map(([, file]) => file)),
];

function readMap(index: Source, name: string): [tensor: string, file: string][] {
  if (index.size > indexLimit) {
    throw new FormatError(`${name} has ${index.size} bytes, but an index may have at most ${indexLimit}.`);
  }
  const bytes = new Uint8Array(index.size);
  fillWhole(index, bytes, 0, name);
  const map = weightMap(bytes);
  if (!map)
    throw new FormatError(`${name} is not an index of shards: expected JSON with a weight_map from tensors to files.`);
  const files = new Set(map.map(([, file]) => file));
  if (files.size > shardLimit)
    throw new FormatError(`${name} lists ${files.size} files, but the limit is ${shardLimit}.`);
  for (const file of files) checkFile(file, name);
  return map;
}

function weightMap(bytes: Uint8Array): [string, string][] | undefined {
  try {
    const { value: json } = parseBoundedJson(bytes);
    const map: unknown =
      typeof json === 'object' && json !== null && 'weight_map' in json ? json.weight_map : undefined;
    if (typeof map !== 'object' || map === null || Array.isArray(map)) return undefined;
    const entries = Object.entries(map) as [string, unknown][];
    return entries.every((entry): entry is [string, string] => typeof entry[1] === 'string') ? entries : undefined;
  } catch {
    return undefined;
  }
}

function checkFile(file: string, name: string): void {
  if (/^[^/\\:\0]{1,255}$/.test(file) && file !== '.' && file !== '..') return;
  throw new FormatError(
    `${name} lists the shard ${JSON.stringify(file)}, but expected the name of a file in the same folder.`,
  );
}
