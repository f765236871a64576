/**
 * The container that PyTorch wrote before version 1.6: consecutive pickles (a magic number, the protocol version, a
 * description of the machine, the object, the list of its storage keys), then the storages in the order of that list,
 * each as its number of elements (int64) and the elements. A storage may be a view of another, by offset and size.
 */
import { FormatError } from '../errors.ts';
import { bytesPerElement } from '../tensor.ts';
import { type PickleNames, Tuple, unpickle } from './pickle.ts';
import { Cursor, partOf, type Source } from './source.ts';
import { TorchNames, type TorchObject } from './torch-names.ts';
import { isSize, Storage } from './torch-tensors.ts';

const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;
const nothing: PickleNames = { named: () => undefined, attributes: () => undefined, persistent: () => undefined };

interface View {
  readonly storage: Storage;
  readonly root: Storage;
  readonly offset: number;
}

/**
 * The object in an older PyTorch file.
 *
 * @throws FormatError if it is not such a file, or is damaged.
 */
export function readTorchStream(source: Source, name: string): TorchObject {
  const cursor = new Cursor(source, name);
  checkHeader(cursor);
  const roots = new Map<string, Storage>();
  const views: View[] = [];
  const known = new Map<string, Storage>();
  const names = new TorchNames(name, (key, dtype, length, part) => {
    const root = roots.get(key) ?? new Storage(dtype, length);
    if (root.dtype !== dtype || root.length !== length || length * bytesPerElement(dtype) > source.size) {
      throw new FormatError(`${name} is damaged: storage "${key}" cannot be ${dtype} with ${length} elements.`);
    }
    roots.set(key, root);
    if (!(part instanceof Tuple)) return root;
    return viewOf(root, part, { views, known, name });
  });
  const object = unpickle(cursor, names);
  placeStorages(cursor, roots);
  for (const { storage, root, offset } of views) {
    storage.place = partOf(root.place!, offset * bytesPerElement(root.dtype), storage.byteLength);
  }
  return { object, unknown: names.unknown, size: source.size };
}

function checkHeader(cursor: Cursor): void {
  const { name } = cursor;
  if (unpickle(cursor, new TorchNames(name, () => refuseData(name))) !== magicNumber) {
    throw new FormatError(`${name} is a pickle, but not from PyTorch: it does not begin with PyTorch's magic number.`);
  }
  const version = unpickle(cursor, nothing);
  if (version !== protocolVersion) {
    throw new FormatError(`${name} has PyTorch protocol ${String(version)}, but expected ${protocolVersion}.`);
  }
  const machine = unpickle(cursor, nothing);
  if (!(machine instanceof Map) || machine.get('little_endian') !== true) {
    throw new FormatError(
      `${name} is not little-endian, and no other byte order is supported. Save it on a little-endian machine.`,
    );
  }
}

function refuseData(name: string): never {
  throw new FormatError(`${name} is a pickle with data, but without the header of a PyTorch file.`);
}

/** Part of a storage as a storage: (key, offset, number of elements). */
function viewOf(
  root: Storage,
  part: Tuple,
  { views, known, name }: { views: View[]; known: Map<string, Storage>; name: string },
): Storage {
  const [key, offset, length] = part.items;
  if (typeof key !== 'string' || !isSize(offset) || !isSize(length) || offset + length > root.length) {
    throw new FormatError(`${name} is damaged: part of a storage lies outside it.`);
  }
  const id = `${key} ${offset} ${length}`;
  const storage = known.get(id) ?? new Storage(root.dtype, length);
  if (!known.has(id)) views.push({ storage, root, offset });
  known.set(id, storage);
  return storage;
}

/** Locates every storage in the data that follows the object. */
function placeStorages(cursor: Cursor, roots: ReadonlyMap<string, Storage>): void {
  const { name, source } = cursor;
  const keys = unpickle(cursor, nothing);
  if (!Array.isArray(keys)) throw new FormatError(`${name} is damaged: it does not list its storages.`);
  for (const key of keys) {
    const storage = roots.get(key);
    const length = cursor.count64('the length of a storage');
    if (!storage || storage.place || storage.length !== length) {
      const expected = storage ? `${storage.length} elements` : 'no such storage';
      throw new FormatError(
        `${name} is damaged: storage "${String(key)}" has ${length} elements, but expected ${expected}.`,
      );
    }
    storage.place = partOf(source, cursor.skip(storage.byteLength), storage.byteLength);
  }
  const missing = [...roots].find(([, storage]) => !storage.place);
  if (missing) throw new FormatError(`${name} is truncated or damaged: it has no data for storage "${missing[0]}".`);
}
