/**
 * The safetensors format: a header length (8 bytes, little-endian), a JSON header, and the tensors' bytes back to back
 * in the order of their offsets. Each entry of the header is `name: { dtype, shape, data_offsets }`; `__metadata__`
 * holds strings. Elements keep their bits, including 16-bit floats.
 *
 * The reader does not trust the file: entries must cover the data exactly, without gaps, overlaps or duplicate names,
 * and no more memory is allocated than the file has bytes.
 * Reference: https://github.com/huggingface/safetensors#format
 */
import { bytes as bytesKind, checkArgument, isRecord, map } from '../arguments.ts';
import { FormatError, messageOf, UsageError } from '../errors.ts';
import {
  bytesOf,
  bytesPerElement,
  type DType,
  dtypes,
  elements,
  joinBytes,
  type OwnBytes,
  type Tensor,
  tensor,
} from '../tensor.ts';
import { classNamesInText } from './class-names.ts';
import { parseBoundedJson } from './json.ts';
import { bytesSource, fillWhole, type Source } from './source.ts';
import type { StateDict, StoredTensor } from './state-dict.ts';

export interface Safetensors {
  /** In the order of their data. */
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Map<string, string>;
}

/** The format allows 100 MB. A form A ResNeXt-101 64x4d has 23,400 tensors and a header of 2.5 MB. */
const headerLimit = 1 << 23;
const tensorLimit = 40_000;
const prefixLength = 8;
const metadataKey = '__metadata__';

const dtypeNames: { readonly [D in DType]: string } = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
};
const dtypeByName: ReadonlyMap<unknown, DType> = new Map(dtypes.map((dtype) => [dtypeNames[dtype], dtype]));

/**
 * Reads the tensors from the bytes of a safetensors file, as copies. `name` identifies the file in messages.
 *
 * @throws FormatError if the bytes are not a complete safetensors file.
 * @example const { tensors, metadata } = readSafetensors(new Uint8Array(await response.arrayBuffer()));
 */
export function readSafetensors(bytes: Uint8Array, name = 'safetensors bytes'): Safetensors {
  checkArgument('bytes', bytes, bytesKind);
  return readSafetensorsFrom(bytesSource(bytes), name);
}

/** `readSafetensors` from any source, one tensor at a time. */
export function readSafetensorsFrom(source: Source, name: string): Safetensors {
  const { tensors, metadata } = openSafetensors(source, name);
  return { tensors: new Map(Array.from(tensors, ([key, stored]) => [key, stored.read()])), metadata };
}

/** Opens a safetensors file: checks the header and leaves the tensors in `source` until they are read. */
export function openSafetensors(source: Source, name: string): StateDict & { readonly metadata: Map<string, string> } {
  const headerLength = readHeaderLength(source, name);
  const header = new Uint8Array(headerLength);
  source.fill(header, prefixLength);
  const { entries, metadata } = parseHeader(header, name);
  const start = prefixLength + headerLength;
  checkOffsets(entries, source.size - start, start, name);
  const tensors = new Map<string, StoredTensor>();
  for (const entry of entries) {
    const { dtype, dims } = entry;
    const read = (): Tensor => {
      const made = tensor(dtype, dims);
      fillWhole(source, bytesOf(made), start + entry.begin, `${name}: tensor "${entry.name}"`);
      return made;
    };
    tensors.set(entry.name, { dtype, dims, read });
  }
  return { tensors, metadata, classes: classNamesInText(metadata), notes: [] };
}

function readHeaderLength(source: Source, name: string): number {
  const { size } = source;
  const prefix = new Uint8Array(prefixLength);
  if (source.fill(prefix, 0) < prefixLength) {
    throw new FormatError(
      `${name}: not a safetensors file: it has ${size} bytes, but expected at least ${prefixLength}.`,
    );
  }
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > headerLimit) {
    const claim = `a header of ${length} bytes, but at most ${headerLimit} are allowed`;
    throw new FormatError(`${name}: not a safetensors file: it claims ${claim}.`);
  }
  const needed = prefixLength + Number(length);
  if (needed > size) {
    throw new FormatError(`${name} is truncated: it has ${size} bytes, but its header alone ends at ${needed}.`);
  }
  return Number(length);
}

/** Where a tensor's bytes are, relative to the end of the header. */
interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function parseHeader(header: Uint8Array, name: string): { entries: Entry[]; metadata: Map<string, string> } {
  const { json, keys } = parseKeys(header, name);
  if (!isRecord(json)) throw new FormatError(`${name}: its header is not a JSON object.`);
  const metadata = new Map<string, string>();
  if (keys.length > tensorLimit) {
    throw new FormatError(`${name}: its header has ${keys.length} tensors, but the limit is ${tensorLimit}.`);
  }
  if (keys.includes(metadataKey)) readMetadata(json[metadataKey], metadata, name);
  const entries = keys.filter((key) => key !== metadataKey).map((key) => readEntry(key, json[key], name));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  return { entries, metadata };
}

/** The header's value, and its keys in file order, which an object would not preserve. */
function parseKeys(header: Uint8Array, name: string): { json: unknown; keys: string[] } {
  let text: string;
  let json: unknown;
  try {
    ({ text, value: json } = parseBoundedJson(header));
  } catch (error) {
    const reason = messageOf(error);
    throw new FormatError(`${name}: not a safetensors file: its header is not JSON: ${reason}.`);
  }
  const { keys, duplicate } = scanKeys(text);
  if (duplicate !== undefined) throw new FormatError(`${name}: its header has "${duplicate}" twice.`);
  return { json, keys };
}

/** The keys of the outermost object in valid JSON, and any object's duplicate key, which `JSON.parse` would hide. */
function scanKeys(json: string): { keys: string[]; duplicate?: string } {
  const outermost = new Set<string>();
  const open: Set<string>[] = [];
  for (let i = 0; i < json.length; i += 1) {
    if (json[i] === '{') open.push(open.length === 0 ? outermost : new Set());
    if (json[i] === '}') open.pop();
    if (json[i] !== '"') continue;
    const begin = i;
    for (i += 1; json[i] !== '"'; i += 1) if (json[i] === '\\') i += 1;
    if (!isFollowedByColon(json, i + 1)) continue;
    const key = String(JSON.parse(json.slice(begin, i + 1)));
    if (open.at(-1)?.has(key)) return { keys: [], duplicate: key };
    open.at(-1)?.add(key);
  }
  return { keys: [...outermost] };
}

function isFollowedByColon(json: string, position: number): boolean {
  let i = position;
  while (' \t\r\n'.includes(json[i] ?? ':')) i += 1;
  return json[i] === ':';
}

function readMetadata(value: unknown, metadata: Map<string, string>, name: string): void {
  if (!isRecord(value)) throw new FormatError(`${name}: ${metadataKey} in its header is not a JSON object.`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw new FormatError(`${name}: ${metadataKey} in its header: "${key}" is not a string.`);
    metadata.set(key, text);
  }
}

function readEntry(tensorName: string, value: unknown, name: string): Entry {
  const subject = `${name}: tensor "${tensorName}"`;
  const { dtype: dtypeName, shape, data_offsets: offsets } = isRecord(value) ? value : {};
  const dtype = dtypeByName.get(dtypeName);
  if (!dtype) {
    const known = [...dtypeByName.keys()].join(', ');
    throw new FormatError(`${subject} has dtype ${JSON.stringify(dtypeName)}; expected one of ${known}.`);
  }
  if (!isSizes(shape)) throw new FormatError(`${subject} needs a shape that is an array of sizes.`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw new FormatError(`${subject} needs data_offsets that are a start and an end.`);
  }
  const [begin, end] = offsets as [number, number];
  const bytes = elements(shape) * bytesPerElement(dtype);
  if (end - begin !== bytes) {
    const need = `${dtypeName} [${shape}] takes ${bytes} bytes`;
    throw new FormatError(`${subject}: ${need}, but data_offsets [${begin}, ${end}] give it ${end - begin}.`);
  }
  return { name: tensorName, dtype, dims: shape, begin, end };
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

/** Sorted entries must follow each other from the start of the data to its end. `start` is its position in the file. */
function checkOffsets(entries: readonly Entry[], available: number, start: number, name: string): void {
  let end = 0;
  for (const entry of entries) {
    if (entry.begin !== end) {
      const fault = entry.begin < end ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw new FormatError(`${name}: tensor "${entry.name}" begins at ${entry.begin}, expected ${end}: it ${fault}.`);
    }
    end = entry.end;
  }
  if (end > available) {
    throw new FormatError(
      `${name} is truncated: it has ${start + available} bytes, but its header promises ${start + end}.`,
    );
  }
  if (end < available) {
    const extra = available - end;
    throw new FormatError(`${name} has ${extra} bytes after the last tensor that its header does not describe.`);
  }
}

/**
 * Writes tensors as the bytes of a safetensors file, in the given order.
 *
 * @throws UsageError for a tensor named `__metadata__`, or a header larger than this package reads.
 * @example writeSafetensors(initialWeights(model, 1), new Map([['format', 'pt']]))
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata?: ReadonlyMap<string, string>,
): OwnBytes {
  return joinBytes(safetensorsChunks(tensors, metadata));
}

/** The file as chunks: the header, then each tensor's bytes, without copying. */
export function safetensorsChunks(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array[] {
  checkArgument('tensors', tensors, map);
  checkArgument('metadata', metadata, map);
  return [writeHeader(tensors, metadata), ...Array.from(tensors.values(), bytesOf)];
}

/** An object's JSON from its members' JSON. A real object would move names that look like numbers to the front. */
const toObject = (members: Iterable<readonly [string, string]>): string =>
  `{${Array.from(members, ([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`;

function writeHeader(tensors: ReadonlyMap<string, Tensor>, metadata: ReadonlyMap<string, string>): Uint8Array {
  if (tensors.has(metadataKey)) {
    throw new UsageError(`A tensor is named "${metadataKey}", which safetensors reserves for text. Rename it.`);
  }
  if (tensors.size > tensorLimit) {
    throw new UsageError(
      `A file of ${tensors.size} tensors could not be read again: the limit is ${tensorLimit}. Split the file.`,
    );
  }
  const text = [...metadata].map(([key, value]) => [key, JSON.stringify(value)] as const);
  const members: (readonly [string, string])[] = metadata.size > 0 ? [[metadataKey, toObject(text)]] : [];
  let end = 0;
  for (const [name, { dtype, dims, data }] of tensors) {
    const offsets = [end, end + data.byteLength];
    members.push([name, JSON.stringify({ dtype: dtypeNames[dtype], shape: dims, data_offsets: offsets })]);
    end += data.byteLength;
  }
  const json = new TextEncoder().encode(toObject(members));
  const length = Math.ceil(json.length / 8) * 8;
  if (length > headerLimit) {
    throw new UsageError(
      `A header of ${length} bytes could not be read again: the limit is ${headerLimit}. Split the file.`,
    );
  }
  const header = new Uint8Array(prefixLength + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, prefixLength);
  return header;
}
