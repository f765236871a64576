/**
 * The entries of a zip archive as sources. zip.js reads the directory; stored entries are then read where they lie,
 * compressed ones are inflated into memory, all of an archive's together to at most twice its size, so that no small
 * file becomes a large one. Names that would leave a folder, names given twice and places outside the file are refused.
 * Reference: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7 and 4.3.12
 */
import { configure, type FileEntry, Reader, ZipReader } from '@zip.js/zip.js/lib/zip-core-native.js';
import { FormatError } from '../errors.ts';
import { bytesSource, partOf, type Source } from './source.ts';

export interface ZipEntry {
  readonly source: Source;
  /** CRC-32 of the contents where it is known and not yet checked. */
  readonly checksum: number | undefined;
}

const entryLimit = 100_000;
const expansionLimit = 2;
/** Small archives may grow by more: their text compresses well. */
const expansionFree = 1 << 16;

configure({ useWebWorkers: false });

/**
 * The entries by name. Only those that `wanted` takes are read.
 *
 * @throws FormatError when it is no sound archive.
 */
export async function openZip(
  source: Source,
  name: string,
  wanted: (entries: readonly string[]) => (entry: string) => boolean = () => () => true,
): Promise<Map<string, ZipEntry>> {
  const entries = await directory(source, name);
  const take = wanted(entries.map((entry) => entry.filename));
  const taken = entries.filter((entry) => take(entry.filename));
  checkExpansion(taken, source, name);
  const opened = new Map<string, ZipEntry>();
  for (const entry of taken) opened.set(entry.filename, await openEntry(entry, source, name));
  return opened;
}

/** zip.js on a source. */
class SourceReader extends Reader<Source> {
  readonly #source: Source;

  constructor(source: Source) {
    super(source);
    this.#source = source;
    this.size = source.size;
  }

  override async readUint8Array(index: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - index)));
    return bytes.subarray(0, this.#source.fill(bytes, index));
  }
}

async function directory(source: Source, name: string): Promise<FileEntry[]> {
  const files = new Map<string, FileEntry>();
  const reader = new ZipReader(new SourceReader(source));
  await asFormatError(name, async () => {
    for await (const entry of reader.getEntriesGenerator()) {
      checkName(entry.filename, name);
      if (files.has(entry.filename)) throw new FormatError(`${name} has the entry "${entry.filename}" twice.`);
      if (files.size === entryLimit) throw new FormatError(`${name} has more than ${entryLimit} entries.`);
      if (!entry.directory) files.set(entry.filename, entry);
    }
  });
  return [...files.values()];
}

async function asFormatError<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`${name} is no sound zip archive: ${reason}. It may be truncated; fetch it again.`);
  }
}

function checkName(entry: string, name: string): void {
  const parts = entry.split('/');
  const absolute = entry === '' || entry.startsWith('/') || /^[a-z]:/i.test(entry);
  if (!absolute && !parts.includes('..') && !/[\\\0]/.test(entry)) return;
  throw new FormatError(`${name} has an entry named ${JSON.stringify(entry)}, which leads out of the archive.`);
}

function checkExpansion(entries: readonly FileEntry[], source: Source, name: string): void {
  const sizeOf = (some: readonly FileEntry[]) => some.reduce((sum, entry) => sum + entry.uncompressedSize, 0);
  const stored = sizeOf(entries.filter((entry) => entry.compressionMethod === 0));
  if (stored > source.size) throw new FormatError(`${name} has entries that overlap or end behind it. It is damaged.`);
  const total = sizeOf(entries);
  const limit = expansionLimit * source.size + expansionFree;
  if (stored < total && total > limit) {
    const sizes = `${source.size} bytes and unpacks to ${total}`;
    throw new FormatError(`${name} has ${sizes}, more than weights compress to; at most ${limit} are unpacked.`);
  }
}

async function openEntry(entry: FileEntry, source: Source, name: string): Promise<ZipEntry> {
  const subject = `${name}: its entry "${entry.filename}"`;
  if (entry.encrypted) throw new FormatError(`${subject} is encrypted. Unpack it with its password first.`);
  if (entry.compressionMethod !== 0) return { source: await inflate(entry, name), checksum: undefined };
  if (entry.compressedSize !== entry.uncompressedSize) {
    throw new FormatError(`${subject} is stored as it is, yet has two sizes. The file is damaged.`);
  }
  const begin = dataBegin(entry, source, subject);
  if (begin + entry.compressedSize > source.size) {
    const end = `ends at ${begin + entry.compressedSize}, and the file at ${source.size}`;
    throw new FormatError(`${subject} ${end}. The file is truncated or damaged.`);
  }
  const checksum = entry.crc32 === 0 ? undefined : entry.crc32; // PyTorch writes 0 where it computes none
  return { source: partOf(source, begin, entry.compressedSize), checksum };
}

const localHeaderLength = 30;
const localSignature = 0x04034b50;

/** Where an entry's data begins: behind its own header, which must agree with the directory. */
function dataBegin(entry: FileEntry, source: Source, subject: string): number {
  const header = new Uint8Array(localHeaderLength + entry.rawFilename.length);
  const filled = source.fill(header, entry.offset);
  const view = new DataView(header.buffer);
  const sound =
    filled === header.length &&
    view.getUint32(0, true) === localSignature &&
    view.getUint16(8, true) === 0 &&
    view.getUint16(26, true) === entry.rawFilename.length &&
    entry.rawFilename.every((byte, i) => byte === header[localHeaderLength + i]);
  if (!sound) throw new FormatError(`${subject} is not where the archive's directory says. The file is damaged.`);
  return entry.offset + header.length + view.getUint16(28, true);
}

/** The contents of a compressed entry, checked against its checksum; the size was checked with the directory. */
async function inflate(entry: FileEntry, name: string): Promise<Source> {
  const bytes = new Uint8Array(entry.uncompressedSize);
  let end = 0;
  const sink = new WritableStream<Uint8Array>({
    write(chunk) {
      if (end + chunk.length > bytes.length) throw new FormatError(`${name}: "${entry.filename}" unpacks to too much.`);
      bytes.set(chunk, end);
      end += chunk.length;
    },
  });
  await asFormatError(name, () => entry.getData(sink, { checkSignature: true, useWebWorkers: false }));
  if (end < bytes.length) throw new FormatError(`${name}: "${entry.filename}" unpacks to less than it claims.`);
  return bytesSource(bytes);
}
