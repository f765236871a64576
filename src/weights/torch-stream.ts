/**
 * The container that PyTorch wrote before 1.6: pickles one after the other (a magic number, the protocol's version, what
 * machine wrote it, the object, the list of its storages' keys), then each storage in the list's order: the number of
 * its elements (int64) and the elements. A storage may be a view of another one, by offset and size.
 */
import { FormatError } from '../errors.ts';
import { bytesPerElement } from '../tensor.ts';
import { type PickleNames, Tuple, unpickle } from './pickle.ts';
import { Cursor, partOf, type Source } from './source.ts';
import { isSize, Storage, torchNames } from './torch-tensors.ts';

const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;
const nothing: PickleNames = { named: () => undefined, persistent: () => undefined };

interface View {
  readonly storage: Storage;
  readonly root: Storage;
  readonly offset: number;
}

/**
 * The object in an older file of PyTorch's.
 *
 * @throws FormatError when it is not such a file, or not a sound one.
 */
export function readTorchStream(source: Source, name: string): unknown {
  const cursor = new Cursor(source, name);
  checkHeader(cursor);
  const roots = new Map<string, Storage>();
  const views: View[] = [];
  const known = new Map<string, Storage>();
  const object = unpickle(
    cursor,
    torchNames(name, (key, dtype, length, part) => {
      const root = roots.get(key) ?? new Storage(dtype, length);
      if (root.dtype !== dtype || root.length !== length || length * bytesPerElement(dtype) > source.size) {
        throw new FormatError(
          `${name} is damaged: storage "${key}" is ${dtype} of ${length} elements, which is not so.`,
        );
      }
      roots.set(key, root);
      if (!(part instanceof Tuple)) return root;
      return viewOf(root, part, { views, known, name });
    }),
  );
  placeStorages(cursor, roots);
  for (const { storage, root, offset } of views) {
    storage.place = partOf(root.place!, offset * bytesPerElement(root.dtype), storage.byteLength);
  }
  return object;
}

function checkHeader(cursor: Cursor): void {
  const { name } = cursor;
  if (
    unpickle(
      cursor,
      torchNames(name, () => refuseData(name)),
    ) !== magicNumber
  ) {
    throw new FormatError(`${name} is a pickle, but not one of PyTorch's: it does not begin with their magic number.`);
  }
  const version = unpickle(cursor, nothing);
  if (version !== protocolVersion) {
    throw new FormatError(`${name} has PyTorch's protocol ${String(version)}, expected ${protocolVersion}.`);
  }
  const machine = unpickle(cursor, nothing);
  if (!(machine instanceof Map) || machine.get('little_endian') !== true) {
    throw new FormatError(`${name} was not written by a little-endian machine, and no other order is read.`);
  }
}

function refuseData(name: string): never {
  throw new FormatError(`${name} is a pickle with data, but without the beginning of PyTorch's files.`);
}

/** A part of a storage as a storage: (key, offset, number of elements). */
function viewOf(
  root: Storage,
  part: Tuple,
  { views, known, name }: { views: View[]; known: Map<string, Storage>; name: string },
): Storage {
  const [key, offset, length] = part.items;
  if (typeof key !== 'string' || !isSize(offset) || !isSize(length) || offset + length > root.length) {
    throw new FormatError(`${name} is damaged: a part of a storage does not lie within it.`);
  }
  const id = `${key} ${offset} ${length}`;
  const storage = known.get(id) ?? new Storage(root.dtype, length);
  if (!known.has(id)) views.push({ storage, root, offset });
  known.set(id, storage);
  return storage;
}

/** Gives every storage its place in what follows the object. */
function placeStorages(cursor: Cursor, roots: ReadonlyMap<string, Storage>): void {
  const { name, source } = cursor;
  const keys = unpickle(cursor, nothing);
  if (!Array.isArray(keys)) throw new FormatError(`${name} is damaged: it has no list of its storages.`);
  for (const key of keys) {
    const storage = roots.get(key);
    const length = cursor.count64('the length of a storage');
    if (!storage || storage.place || storage.length !== length) {
      const expected = storage ? `${storage.length} elements` : 'no such storage';
      throw new FormatError(
        `${name} is damaged: storage "${String(key)}" has ${length} elements, expected ${expected}.`,
      );
    }
    storage.place = partOf(source, cursor.skip(storage.byteLength), storage.byteLength);
  }
  const missing = [...roots].find(([, storage]) => !storage.place);
  if (missing) throw new FormatError(`${name} is truncated or damaged: it has no data for storage "${missing[0]}".`);
}
