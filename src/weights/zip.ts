/**
 * The entries of a zip archive as sources. zip.js reads the directory. Uncompressed entries are then read in place;
 * compressed ones are inflated into memory, together to at most twice the size of the archive, so a small file cannot
 * become a large one. Names that lead out of a folder, duplicate names and positions outside the file are refused.
 * Reference: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7 and 4.3.12
 */
import type { FileEntry, Reader } from '@zip.js/zip.js/lib/zip-core-reader.js';
import { FormatError, messageOf, UsageError } from '../errors.ts';
import { crc32 } from './crc32.ts';
import { bytesSource, fillWhole, partOf, type Source } from './source.ts';

export interface ZipEntry {
  readonly source: Source;
  /** CRC-32 of the contents, if known and not yet verified. */
  readonly checksum: number | undefined;
  /** Bytes of memory that the unpacked entry takes; 0 if it is read in place. */
  readonly inMemory: number;
}

const stored = 0;
const deflated = 8;
/** Twice what a 200-layer ResNeXt has with averaged weights and an optimizer. */
const entryLimit = 6_000;
/** Twice what PyTorch's directory of that many entries takes. */
const directoryLimit = 1 << 21;
/** Bytes of memory that an archive may take. The constant is for small archives, whose text compresses well. */
export const unpackedLimit = ({ size }: Source): number => 2 * size + (1 << 16);

/** An entry as the directory describes it. */
interface DirectoryEntry {
  readonly filename: string;
  readonly rawFilename: Uint8Array;
  readonly encrypted: boolean;
  readonly compressionMethod: number;
  readonly compressedSize: number;
  readonly uncompressedSize: number;
  readonly crc32: number | undefined;
  readonly offset: number;
}

/** An archive whose directory has been read. */
export interface Archive {
  /** The names of its files. */
  readonly names: readonly string[];
  /** Opens the named files and unpacks compressed ones. */
  open(names: readonly string[]): Promise<Map<string, ZipEntry>>;
}

/**
 * Opens the zip archive in a source.
 *
 * @throws FormatError if the archive is damaged; so does `open`.
 */
export async function openZip(source: Source, name: string): Promise<Archive> {
  const files = await directory(source, name);
  const open = async (names: readonly string[]): Promise<Map<string, ZipEntry>> => {
    const taken = names.map((each) => files.get(each)!);
    checkExpansion(taken, source, name);
    const opened = new Map<string, ZipEntry>();
    for (const entry of taken) opened.set(entry.filename, await openEntry(entry, source, name));
    return opened;
  };
  return { names: [...files.keys()], open };
}

/** A source as a zip.js reader: the members here are all it needs to read a directory. */
function readerOf(source: Source, name: string): Reader<Source> {
  const readUint8Array = async (index: number, length: number) => {
    if (length > directoryLimit) {
      throw new FormatError(`${name} has a directory of ${length} bytes, but the limit is ${directoryLimit}.`);
    }
    const bytes = new Uint8Array(Math.max(0, Math.min(length, source.size - index)));
    return bytes.subarray(0, source.fill(bytes, index));
  };
  return { size: source.size, init: async () => {}, readUint8Array } as Reader<Source>;
}

async function directory(source: Source, name: string): Promise<Map<string, DirectoryEntry>> {
  const { ZipReader } = await import('@zip.js/zip.js/lib/zip-core-reader.js');
  const files = new Map<string, DirectoryEntry>();
  // checkName below gives a clearer error
  const reader = new ZipReader(readerOf(source, name), { filenameValidation: 'tolerant' });
  await asFormatError(name, async () => {
    for await (const entry of reader.getEntriesGenerator()) {
      checkName(entry.filename, name);
      if (files.has(entry.filename)) throw new FormatError(`${name} has the entry "${entry.filename}" twice.`);
      if (files.size === entryLimit) throw new FormatError(`${name} has more than ${entryLimit} entries.`);
      if (!entry.directory) files.set(entry.filename, needed(entry));
    }
  });
  return files;
}

/** The needed fields of an entry. The whole zip.js object takes 10 kB. */
function needed(entry: FileEntry): DirectoryEntry {
  const { filename, encrypted, compressionMethod, compressedSize, uncompressedSize, offset } = entry;
  const [rawFilename, crc32] = [entry.rawFilename.slice(), entry.crc32];
  return { filename, rawFilename, encrypted, compressionMethod, compressedSize, uncompressedSize, crc32, offset };
}

async function asFormatError<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof FormatError || error instanceof UsageError) throw error;
    const reason = messageOf(error);
    throw new FormatError(`${name} is not a valid zip archive: ${reason}. It may be truncated; download it again.`);
  }
}

function checkName(entry: string, name: string): void {
  const parts = entry.split('/');
  const absolute = entry === '' || entry.startsWith('/') || /^[a-z]:/i.test(entry);
  if (!absolute && !parts.includes('..') && !/[\\\0]/.test(entry)) return;
  throw new FormatError(`${name} has an entry named ${JSON.stringify(entry)}, which leads out of the archive.`);
}

function checkExpansion(entries: readonly DirectoryEntry[], source: Source, name: string): void {
  const sizeOf = (some: readonly DirectoryEntry[]) => some.reduce((sum, entry) => sum + entry.uncompressedSize, 0);
  const inPlace = sizeOf(entries.filter((entry) => entry.compressionMethod === stored));
  if (inPlace > source.size)
    throw new FormatError(`${name} has entries that overlap or extend past its end. It is damaged.`);
  const total = sizeOf(entries);
  const limit = unpackedLimit(source);
  if (inPlace < total && total > limit) {
    const sizes = `has ${source.size} bytes and unpacks to ${total}`;
    throw new FormatError(`${name} ${sizes}, but weights never compress that well: the limit is ${limit}.`);
  }
}

async function openEntry(entry: DirectoryEntry, source: Source, name: string): Promise<ZipEntry> {
  const subject = `${name}: its entry "${entry.filename}"`;
  const { compressedSize, uncompressedSize, compressionMethod: method } = entry;
  if (entry.encrypted) throw new FormatError(`${subject} is encrypted. Unpack it with its password first.`);
  if (method !== stored && method !== deflated) {
    throw new FormatError(`${subject} is compressed with method ${method}, but expected deflate (8). Unpack it first.`);
  }
  if (method === stored && compressedSize !== uncompressedSize) {
    throw new FormatError(`${subject} is stored uncompressed, but has two different sizes. The file is damaged.`);
  }
  const begin = dataBegin(entry, source, subject);
  if (begin + compressedSize > source.size) {
    const end = `ends at ${begin + compressedSize}, but the file ends at ${source.size}`;
    throw new FormatError(`${subject} ${end}. The file is truncated or damaged.`);
  }
  const checksum = entry.crc32 === 0 ? undefined : entry.crc32; // PyTorch writes 0 if it computes none
  const data = partOf(source, begin, compressedSize);
  if (method === stored) return { source: data, checksum, inMemory: 0 };
  const bytes = await asFormatError(subject, () => inflate(data, uncompressedSize, subject));
  if (crc32(bytes) !== entry.crc32)
    throw new FormatError(`${subject} does not match its checksum. The file is damaged.`);
  return { source: bytesSource(bytes), checksum: undefined, inMemory: bytes.length };
}

const localHeaderLength = 30;
const localSignature = 0x04034b50;

/** The position of an entry's data: after its local header, which must match the directory. */
function dataBegin(entry: DirectoryEntry, source: Source, subject: string): number {
  const header = new Uint8Array(localHeaderLength + entry.rawFilename.length);
  const filled = source.fill(header, entry.offset);
  const view = new DataView(header.buffer);
  const sound =
    filled === header.length &&
    view.getUint32(0, true) === localSignature &&
    view.getUint16(8, true) === entry.compressionMethod &&
    view.getUint16(26, true) === entry.rawFilename.length &&
    entry.rawFilename.every((byte, i) => byte === header[localHeaderLength + i]);
  if (!sound) throw new FormatError(`${subject} is not where the archive's directory says. The file is damaged.`);
  return entry.offset + header.length + view.getUint16(28, true);
}

const chunkLength = 1 << 16;

/** Inflates compressed data, which must have the size given in the directory. */
async function inflate(data: Source, size: number, subject: string): Promise<Uint8Array> {
  let position = 0;
  const compressed = new ReadableStream<BufferSource>({
    pull(controller) {
      const chunk = new Uint8Array(Math.min(chunkLength, data.size - position));
      fillWhole(data, chunk, position, subject);
      position += chunk.length;
      if (chunk.length > 0) controller.enqueue(chunk);
      else controller.close();
    },
  });
  const reader = compressed.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  const bytes = new Uint8Array(size);
  let end = 0;
  for (;;) {
    const { value, done } = await reader.read();
    const more = value?.length ?? 0;
    if (end + more > size || (done && end < size)) {
      await reader.cancel();
      throw new FormatError(`${subject} unpacks to ${done ? 'less' : 'more'} than the ${size} bytes that it declares.`);
    }
    if (done) return bytes;
    bytes.set(value, end);
    end += more;
  }
}
