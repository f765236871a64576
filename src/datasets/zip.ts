/**
 * The files in a zip archive, as positions in it. The directory at the end lists them; the header before each file, which
 * may be longer than the directory says, tells where its data begins. The reader for weights (`weights/zip.ts`) is for
 * archives of a few hundred entries: its objects take 10 kB each, which 1.3 million images cannot.
 * Reference: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7 to 4.3.16 and 4.5.3
 */
import { FormatError } from '../errors.ts';
import { Cursor, fillWhole, type Source } from '../weights/source.ts';
import { memberName } from './member-name.ts';
import type { Member } from './tar.ts';

/** A file of a zip archive. */
export interface ZipMember extends Member {
  /** Bytes that it has when inflated. */
  readonly inflated: number;
}

const signatures = { file: 0x04034b50, entry: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator: 0x07064b50 };
const [endLength, locatorLength, end64Length, entryLength, headerLength] = [22, 20, 56, 46, 30] as const;
const longestComment = 0xffff;
const [stored, deflated] = [0, 8] as const;
const encryptedBit = 1;
const utf8Bit = 1 << 11;
const zip64 = 1;
/** An image file may have 1 GiB on disk, so one that inflates to more is refused before it is inflated. */
const largestImage = 2 ** 30;
/** Deflate reaches 1032 : 1 at most, so a larger ratio is not what the archive says. */
const largestRatio = 1040;

/**
 * Yields the files of a zip archive in the order of its directory.
 *
 * @param name the archive's name in messages.
 * @throws FormatError if the archive is damaged, truncated, in several parts or encrypted.
 */
export function* zipMembers(source: Source, name: string): Generator<ZipMember, void, undefined> {
  const { start, length } = directory(source, name);
  const entries = new Cursor(source, name, start);
  while (entries.position < start + length) {
    const entry = readEntry(entries, name);
    if (!entry) continue;
    checkEntry(entry, source, name);
    const begin = dataStart(source, entry, name);
    if (begin + entry.length > start) {
      throw damaged(name, `its file "${entry.name}" extends to byte ${begin + entry.length}, into the directory`);
    }
    yield {
      name: entry.name,
      start: begin,
      length: entry.length,
      isDeflated: entry.method === deflated,
      inflated: entry.inflated,
    };
  }
}

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly flags: number;
  readonly length: number;
  readonly inflated: number;
  /** Where the header before the file begins. */
  readonly header: number;
}

interface Range {
  readonly start: number;
  readonly length: number;
}

/** Where the directory is, by the record at the end of the file. */
function directory(source: Source, name: string): Range {
  const length = Math.min(source.size, endLength + longestComment);
  const begin = source.size - length;
  const tail = new Uint8Array(length);
  fillWhole(source, tail, begin, name);
  const view = new DataView(tail.buffer);
  for (let at = length - endLength; at >= 0; at--) {
    if (view.getUint32(at, true) !== signatures.end) continue;
    const found = directory64(source, name, begin + at) ?? {
      length: view.getUint32(at + 12, true),
      start: view.getUint32(at + 16, true),
    };
    if (view.getUint16(at + 4, true) !== 0 && view.getUint16(at + 4, true) !== 0xffff) {
      throw new FormatError(
        `${name} is one part of a zip archive in several. Join them first: zip -s 0 PARTS --out ONE.zip`,
      );
    }
    if (found.start + found.length <= begin + at) return found;
  }
  throw damaged(name, 'it has no directory at its end');
}

/** The record of archives that have more than 65,535 files or 4 GiB. */
function directory64(source: Source, name: string, end: number): Range | undefined {
  if (end < locatorLength) return undefined;
  const locator = new Cursor(source, name, end - locatorLength).view(locatorLength);
  if (locator.getUint32(0, true) !== signatures.locator) return undefined;
  const at = large(locator, 8);
  if (at + end64Length > end) throw damaged(name, 'its zip64 record is not where it should be');
  const record = new Cursor(source, name, at).view(end64Length);
  if (record.getUint32(0, true) !== signatures.end64) throw damaged(name, 'it has no zip64 record');
  return { length: large(record, 40), start: large(record, 48) };
}

const large = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** The next entry; undefined if it is a folder. */
function readEntry(cursor: Cursor, archive: string): Entry | undefined {
  const view = cursor.view(entryLength);
  if (view.getUint32(0, true) !== signatures.entry) throw damaged(archive, 'its directory is damaged');
  const [flags, method] = [view.getUint16(8, true), view.getUint16(10, true)];
  const sizes = [24, 20, 42].map((at) => view.getUint32(at, true)); // inflated, in the archive, header
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) => view.getUint16(at, true));
  const name = textOf(cursor.bytes(nameLength!), flags, archive);
  const [inflated, length, header] = withZip64(sizes, cursor.view(extraLength!), archive);
  cursor.skip(commentLength!);
  if (name.endsWith('/')) return undefined;
  return { name: memberName(name, archive), method, flags, length: length!, inflated: inflated!, header: header! };
}

/** Replaces numbers that did not fit in 32 bits by those of the zip64 field, which has only these, in this order. */
function withZip64(sizes: readonly number[], extra: DataView, archive: string): readonly number[] {
  if (!sizes.includes(0xffffffff)) return sizes;
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== zip64) continue;
    const end = Math.min(extra.byteLength, at + 4 + extra.getUint16(at + 2, true));
    let from = at + 4;
    return sizes.map((size) => {
      if (size !== 0xffffffff) return size;
      from += 8;
      if (from > end) throw damaged(archive, 'its directory lacks a large number');
      return large(extra, from - 8);
    });
  }
  return sizes;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Windows once wrote backslashes. Names without a flag are UTF-8 too, unless an old program wrote them. */
function textOf(bytes: Uint8Array, flags: number, archive: string): string {
  try {
    return utf8.decode(bytes).replaceAll('\\', '/');
  } catch (cause) {
    const shown = JSON.stringify(new TextDecoder().decode(bytes));
    const why = flags & utf8Bit ? 'is not UTF-8 as it should be' : 'is not UTF-8';
    throw new FormatError(`${archive} has a name that ${why}, ${shown}. Rename that file and pack it again.`, {
      cause,
    });
  }
}

function checkEntry({ name, flags, method, length, inflated }: Entry, source: Source, archive: string): void {
  const subject = `${archive}: its file "${name}"`;
  if (flags & encryptedBit)
    throw new FormatError(`${subject} is encrypted. Unpack the archive with its password first.`);
  if (method !== stored && method !== deflated) {
    throw new FormatError(
      `${subject} is compressed with method ${method}, but expected none or deflate (8). Unpack the archive first.`,
    );
  }
  const isPlausible = method === stored ? length === inflated : inflated <= largestRatio * length + 16;
  if (length > source.size || !isPlausible) throw damaged(archive, `its file "${name}" has impossible sizes`);
  if (inflated > largestImage) {
    throw new FormatError(
      `${subject} has ${inflated} bytes when it is inflated, but an image file may have ${largestImage}.`,
    );
  }
}

/** The position of an entry's data: after its own header, whose name and extra fields may be longer. */
function dataStart(source: Source, { name, header, method }: Entry, archive: string): number {
  if (header + headerLength > source.size) throw damaged(archive, `its file "${name}" begins past its end`);
  const bytes = new Uint8Array(headerLength); // no more, since the images between the headers are not read
  fillWhole(source, bytes, header, archive);
  const view = new DataView(bytes.buffer);
  if (view.getUint32(0, true) !== signatures.file || view.getUint16(8, true) !== method) {
    throw damaged(archive, `its file "${name}" is not where the directory says`);
  }
  return header + headerLength + view.getUint16(26, true) + view.getUint16(28, true);
}

const damaged = (name: string, why: string): FormatError =>
  new FormatError(`${name} is not a valid zip archive: ${why}. It may be truncated; copy or download it again.`);
