/**
 * The container that PyTorch has written since version 1.6: a zip archive of uncompressed entries in one folder.
 * `data.pkl` is the object, `data/<key>` the bytes of each storage, `byteorder` the byte order. A zip archive that
 * wraps one weights file (`.pth.zip`) is also accepted and read as if it were that file.
 */
import { FormatError } from '../errors.ts';
import { crc32 } from './crc32.ts';
import { unpickle } from './pickle.ts';
import { Cursor, fillWhole, type Source } from './source.ts';
import { TorchNames, type TorchObject } from './torch-names.ts';
import { Storage } from './torch-tensors.ts';
import { openZip, type ZipEntry } from './zip.ts';

const pickleName = /^(?:[^/]+\/)?data\.pkl$/;
const weightsName = /\.(pth|pt|bin|safetensors|t7|tar|pkl)$/i;

/** A PyTorch object and the unpacked size of its entries, or the one file in a plain archive. */
export type Unzipped =
  | (TorchObject & { readonly inMemory: number })
  | { readonly inner: Source; readonly innerName: string; readonly inMemory: number };

/**
 * Reads a zip archive with weights.
 *
 * @throws FormatError if the archive is damaged, or does not hold weights.
 */
export async function readTorchZip(source: Source, name: string): Promise<Unzipped> {
  const archive = await openZip(source, name);
  const pickle = archive.names.find((entry) => pickleName.test(entry));
  if (pickle === undefined) {
    const only = onlyFile(archive.names, name);
    const { source: inner, inMemory } = (await archive.open([only])).get(only)!;
    return { inner, innerName: `${name}, entry ${only}`, inMemory };
  }
  const prefix = pickle.slice(0, -'data.pkl'.length);
  const parts = [pickle, `${prefix}byteorder`];
  const isPart = (entry: string) => parts.includes(entry) || entry.startsWith(`${prefix}data/`);
  const entries = await archive.open(archive.names.filter(isPart));
  const opened = [...entries.values()];
  const size = opened.reduce((sum, entry) => sum + entry.source.size, 0);
  const inMemory = opened.reduce((sum, entry) => sum + entry.inMemory, 0);
  return { ...readObject(entries, prefix, name), size, inMemory };
}

/**
 * The weights file in a plain zip archive, the same one that `readStateDict` would read.
 *
 * @throws FormatError if the archive is damaged, or does not hold exactly one weights file.
 */
export async function weightsInZip(source: Source, name: string): Promise<Source> {
  const found = await readTorchZip(source, name);
  if ('inner' in found) return found.inner;
  throw new FormatError(`${name} is itself a PyTorch file, but expected a zip archive that wraps one.`);
}

/** The only weights file in a plain archive. */
function onlyFile(names: readonly string[], name: string): string {
  const found = names.filter((entry) => weightsName.test(entry) && !entry.startsWith('__MACOSX/'));
  if (found.length === 1) return found[0]!;
  const has = found.length === 0 ? 'no weights file' : `${found.length} weights files`;
  throw new FormatError(
    `${name} is a zip archive with ${has}, but expected one. Unpack it and open the file you want.`,
  );
}

const textLimit = 1 << 26;

function readObject(entries: ReadonlyMap<string, ZipEntry>, prefix: string, name: string): Omit<TorchObject, 'size'> {
  checkByteOrder(entries.get(`${prefix}byteorder`), name);
  const pickle = entries.get(`${prefix}data.pkl`)!;
  if (pickle.source.size > textLimit) {
    throw new FormatError(`${name}: its pickle has ${pickle.source.size} bytes, but the limit is ${textLimit}.`);
  }
  checkPickle(pickle, name);
  const storages = new Map<string, Storage>();
  const names = new TorchNames(name, (key, dtype, length) => {
    const known = storages.get(key);
    if (known && known.dtype === dtype && known.length === length) return known;
    const storage = new Storage(dtype, length);
    const entry = entries.get(`${prefix}data/${key}`);
    if (!entry || entry.source.size < storage.byteLength) {
      const found = entry ? `${entry.source.size} bytes` : 'nothing';
      throw new FormatError(
        `${name} is damaged: storage "${key}" needs ${storage.byteLength} bytes, but found ${found}.`,
      );
    }
    storage.place = entry.source;
    storage.checksum = entry.checksum;
    storages.set(key, storage);
    return storage;
  });
  return { object: unpickle(new Cursor(pickle.source, name), names), unknown: names.unknown };
}

function checkPickle({ source, checksum }: ZipEntry, name: string): void {
  if (checksum === undefined) return;
  const bytes = new Uint8Array(source.size);
  fillWhole(source, bytes, 0, name);
  if (crc32(bytes) !== checksum) {
    throw new FormatError(`${name}: its data.pkl does not match its checksum. The file is damaged; download it again.`);
  }
}

function checkByteOrder(entry: ZipEntry | undefined, name: string): void {
  if (!entry) return;
  const bytes = new Uint8Array(Math.min(entry.source.size, 16));
  fillWhole(entry.source, bytes, 0, name);
  const order = new TextDecoder().decode(bytes);
  if (order === 'little') return;
  throw new FormatError(
    `${name} has byte order ${JSON.stringify(order)}, but expected "little". Save it on a little-endian machine.`,
  );
}
