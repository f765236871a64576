/**
 * The dicts in CIFAR's pickles. The interpreter for weights reads them without running anything; it leaves long strings of
 * bytes where they are, so the 150 MB of CIFAR-100's pixels are never in memory. Arrays are what NumPy's pickles of
 * protocols 2 to 5 make them from: a shape, a type and bytes.
 */
import { FormatError } from '../errors.ts';
import { BytesInPlace, Inert, Named, type PickleNames, Tuple, unpickle } from '../weights/pickle.ts';
import { Cursor, type Source } from '../weights/source.ts';

/** Where the labels and images of one file are. */
export interface Batch {
  readonly labels: ArrayLike<number>;
  /** Position of the first image in the file. */
  readonly start: number;
  /** Bytes from one image to the next. */
  readonly stride: number;
}

/** Bytes of an image: 3 planes of 32 × 32. */
export const imageBytes = 3 * 32 * 32;

/** The labels under a key, and where the pixels are. */
export function cifarBatch(source: Source, name: string, labelsKey: string): Batch {
  const dict = readDict(source, name);
  const [labels, data] = [get(dict, labelsKey), get(dict, 'data')];
  if (!Array.isArray(labels) || !labels.every((label) => Number.isInteger(label) && label >= 0)) {
    throw new FormatError(`${name} has no list "${labelsKey}" of integers. It is not a batch of CIFAR.`);
  }
  if (data instanceof PickledArray && data.bytes instanceof Inert) {
    throw new FormatError(
      `${name} has its pixels as text, as Python 3 writes them with a protocol below 3. Write it again with pickle.dump(batch, file, protocol=4).`,
    );
  }
  if (
    !(data instanceof PickledArray) ||
    data.type !== 'u1' ||
    data.isFortran ||
    !(data.bytes instanceof BytesInPlace)
  ) {
    throw new FormatError(
      `${name} has no array "data" of bytes. Is it a batch of CIFAR as Python 2 or a later version writes it?`,
    );
  }
  const { shape, bytes } = data;
  if (`${shape}` !== `${[labels.length, imageBytes]}` || bytes.length !== labels.length * imageBytes) {
    throw new FormatError(
      `${name} has "data" of shape [${shape}], but ${labels.length} labels; expected [${labels.length}, ${imageBytes}].`,
    );
  }
  return { labels: labels as number[], start: bytes.start, stride: imageBytes };
}

/** The names of classes under a key. */
export function cifarNames(source: Source, name: string, key: string): readonly string[] {
  const names = get(readDict(source, name), key);
  const texts = Array.isArray(names) ? names.map(textOf) : [];
  if (texts.length > 0 && texts.every((text) => text !== undefined)) return texts as string[];
  throw new FormatError(`${name} has no list "${key}" of names. It is not a file of CIFAR.`);
}

/** Longer strings are pixels. */
const longest = 1 << 12;

function readDict(source: Source, name: string): ReadonlyMap<unknown, unknown> {
  const names: PickleNames = {
    named: (asked) => new Named(asked, functions.get(asked) ?? (() => new Inert(asked))),
    attributes: (object, state) => {
      if (object instanceof PickledArray) object.setState(state);
      return undefined;
    },
    persistent: () => {
      throw new FormatError(`${name} refers to data outside of it, which CIFAR's files do not.`);
    },
    keepsInPlace: (length) => length > longest,
  };
  const dict = unpickle(new Cursor(source, name), names);
  if (dict instanceof Map) return dict;
  throw new FormatError(`${name} contains no dict, but expected one as in CIFAR's files.`);
}

/** An array, made empty and then given its state, or made from a buffer. */
class PickledArray extends Inert {
  shape: readonly unknown[] = [];
  /** NumPy's code of the type of its elements. */
  type: unknown;
  isFortran = false;
  bytes: unknown;

  /** @param state version, shape, type, whether the first axis varies fastest, and bytes. */
  setState(state: unknown): void {
    if (!(state instanceof Tuple)) return;
    const [, shape, type, isFortran, bytes] = state.items;
    this.set(shape, type, isFortran === true, bytes);
  }

  set(shape: unknown, type: unknown, isFortran: boolean, bytes: unknown): void {
    this.shape = shape instanceof Tuple ? shape.items : [];
    this.type = type instanceof PickledType ? type.code : undefined;
    this.isFortran = isFortran;
    this.bytes = bytes;
  }
}

class PickledType extends Inert {
  readonly code: unknown;

  constructor(code: unknown) {
    super('numpy.dtype');
    this.code = textOf(code);
  }
}

/** NumPy 2 has other names for its modules. */
const functions: ReadonlyMap<string, (args: readonly unknown[]) => unknown> = new Map([
  // bytes in protocol 2 of Python 3: text whose characters are the bytes
  ['_codecs.encode', ([text]) => (typeof text === 'string' ? Buffer.from(text, 'latin1') : new Inert('bytes'))],
  ...['numpy.core', 'numpy._core'].flatMap((core): [string, (args: readonly unknown[]) => unknown][] => [
    [`${core}.multiarray._reconstruct`, () => new PickledArray('numpy.ndarray')],
    [`${core}.numeric._frombuffer`, fromBuffer],
    ['numpy.dtype', ([code]) => new PickledType(code)],
  ]),
]);

function fromBuffer([bytes, type, shape, order]: readonly unknown[]): PickledArray {
  const array = new PickledArray('numpy.ndarray');
  array.set(shape, type, textOf(order) === 'F', bytes);
  return array;
}

/** Keys are bytes in files from Python 2, and text in others. */
const get = (dict: ReadonlyMap<unknown, unknown>, key: string): unknown => {
  for (const [name, value] of dict) if (textOf(name) === key) return value;
  return undefined;
};

function textOf(value: unknown): string | undefined {
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  return typeof value === 'string' ? value : undefined;
}
