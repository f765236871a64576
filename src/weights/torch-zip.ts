/**
 * The container that PyTorch writes since 1.6: a zip archive of stored entries in one folder. `data.pkl` is the object,
 * `data/<key>` the bytes of each storage, `byteorder` says how numbers lie. Also a zip archive around one file of
 * weights (`.pth.zip`), whose contents are read as if they were the file.
 */
import { FormatError } from '../errors.ts';
import { crc32 } from './crc32.ts';
import { unpickle } from './pickle.ts';
import { Cursor, fillWhole, type Source } from './source.ts';
import { Storage, torchNames } from './torch-tensors.ts';
import { openZip, type ZipEntry } from './zip.ts';

const pickleName = /^(?:[^/]+\/)?data\.pkl$/;
const weightsName = /\.(pth|pt|bin|safetensors|t7|tar|pkl)$/i;

/** An object of PyTorch's and the size of its entries unpacked, or the one file in a plain archive. */
export type Unzipped =
  | { readonly object: unknown; readonly size: number; readonly inMemory: number }
  | { readonly inner: Source; readonly innerName: string; readonly inMemory: number };

/**
 * What a zip archive holds.
 *
 * @throws FormatError when it is no sound archive, or not of weights.
 */
export async function readTorchZip(source: Source, name: string): Promise<Unzipped> {
  const archive = await openZip(source, name);
  const pickle = archive.names.find((entry) => pickleName.test(entry));
  if (pickle === undefined) {
    const only = onlyFile(archive.names, name);
    const { source: inner, inMemory } = (await archive.open([only])).get(only)!;
    return { inner, innerName: `${name}, in it ${only}`, inMemory };
  }
  const prefix = pickle.slice(0, -'data.pkl'.length);
  const parts = [pickle, `${prefix}byteorder`];
  const isPart = (entry: string) => parts.includes(entry) || entry.startsWith(`${prefix}data/`);
  const entries = await archive.open(archive.names.filter(isPart));
  const opened = [...entries.values()];
  const size = opened.reduce((sum, entry) => sum + entry.source.size, 0);
  const inMemory = opened.reduce((sum, entry) => sum + entry.inMemory, 0);
  return { object: readObject(entries, prefix, name), size, inMemory };
}

/**
 * The file of weights in a plain zip archive, as `readStateDict` takes it.
 *
 * @throws FormatError when it is no sound archive, or does not hold one such file.
 */
export async function weightsInZip(source: Source, name: string): Promise<Source> {
  const found = await readTorchZip(source, name);
  if ('inner' in found) return found.inner;
  throw new FormatError(`${name} is a file of PyTorch's itself; expected a zip archive around one.`);
}

/** The one file of weights in a plain archive. */
function onlyFile(names: readonly string[], name: string): string {
  const found = names.filter((entry) => weightsName.test(entry) && !entry.startsWith('__MACOSX/'));
  if (found.length === 1) return found[0]!;
  const has = found.length === 0 ? 'no file of weights' : `${found.length} files of weights`;
  throw new FormatError(`${name} is a zip archive with ${has}, expected one; unpack it and open the one you mean.`);
}

const textLimit = 1 << 26;

function readObject(entries: ReadonlyMap<string, ZipEntry>, prefix: string, name: string): unknown {
  checkByteOrder(entries.get(`${prefix}byteorder`), name);
  const pickle = entries.get(`${prefix}data.pkl`)!;
  if (pickle.source.size > textLimit) {
    throw new FormatError(`${name}: its pickle has ${pickle.source.size} bytes, and at most ${textLimit} are read.`);
  }
  checkPickle(pickle, name);
  const storages = new Map<string, Storage>();
  const names = torchNames(name, (key, dtype, length) => {
    const known = storages.get(key);
    if (known && known.dtype === dtype && known.length === length) return known;
    const storage = new Storage(dtype, length);
    const entry = entries.get(`${prefix}data/${key}`);
    if (!entry || entry.source.size < storage.byteLength) {
      const found = entry ? `${entry.source.size} bytes` : 'nothing';
      throw new FormatError(`${name} is damaged: storage "${key}" needs ${storage.byteLength} bytes, found ${found}.`);
    }
    storage.place = entry.source;
    storage.checksum = entry.checksum;
    storages.set(key, storage);
    return storage;
  });
  return unpickle(new Cursor(pickle.source, name), names);
}

function checkPickle({ source, checksum }: ZipEntry, name: string): void {
  if (checksum === undefined) return;
  const bytes = new Uint8Array(source.size);
  fillWhole(source, bytes, 0, name);
  if (crc32(bytes) !== checksum) {
    throw new FormatError(`${name}: its data.pkl does not fit its checksum. The file is damaged; fetch it again.`);
  }
}

function checkByteOrder(entry: ZipEntry | undefined, name: string): void {
  if (!entry) return;
  const bytes = new Uint8Array(Math.min(entry.source.size, 16));
  fillWhole(entry.source, bytes, 0, name);
  const order = new TextDecoder().decode(bytes);
  if (order === 'little') return;
  throw new FormatError(`${name} has byte order ${JSON.stringify(order)}, and only "little" is read; save it anew.`);
}
