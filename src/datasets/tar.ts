/**
 * The files in a tar archive, as positions in it. An index has to follow every header of 512 bytes, so 1.3 million members
 * take a few seconds. This is smaller than a package that streams archives, since nothing but headers is read.
 *
 * POSIX ustar, GNU tar (long names, large sizes) and PAX (paths and sizes in extended headers) are read. Links are
 * counted, and devices skipped.
 * References: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html, "ustar Interchange Format" and "pax
 * Header Block"; https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
import { FormatError } from '../errors.ts';
import { fillWhole, type Source } from '../weights/source.ts';
import { memberName } from './member-name.ts';

/** A file in an archive. */
export interface Member {
  /** Its path in the archive, with slashes. */
  readonly name: string;
  /** Position of its first byte in the archive. */
  readonly start: number;
  /** Bytes that it takes there. */
  readonly length: number;
  readonly isDeflated: boolean;
}

const block = 512;
/** Longer names than any file system allows are damage or an attack. */
const longestName = 1 << 16;
/** Headers are close to each other if files are small, so some are read at once. */
const readAhead = 1 << 14;

/**
 * Yields the regular files of a tar archive in its order.
 *
 * @param name the archive's name in messages.
 * @param onLink called with the path of each link, which is not followed.
 * @throws FormatError if the archive is damaged, truncated or compressed.
 */
export function* tarMembers(
  source: Source,
  name: string,
  onLink: (path: string) => void = () => {},
): Generator<Member, void, undefined> {
  const headers = new Headers(source, name);
  let next: Override = {};
  for (let position = 0; position < source.size; ) {
    const header = headers.at(position);
    if (header === undefined) return; // a block of zeros marks the end
    const start = position + block;
    const length = next.size ?? header.size;
    const end = start + length;
    if (end > source.size) throw headers.fault(position, `has a file that ends at ${end}, past the end of the archive`);
    if (header.kind === 'path') next = { ...next, path: headers.longName(start, length) };
    else if (header.kind === 'extended') next = { ...next, ...headers.extended(start, length) };
    else {
      const path = next.path ?? header.path();
      next = {};
      // a path that ends in a slash was a folder before there was a type for it
      if (header.kind === 'file' && !path.endsWith('/')) {
        yield { name: memberName(path, name), start, length, isDeflated: false };
      }
      if (header.kind === 'link') onLink(path);
    }
    position = start + Math.ceil(length / block) * block;
  }
}

/** What a header before that of a file says about it. */
interface Override {
  readonly path?: string;
  readonly size?: number;
}

interface Header {
  readonly kind: 'file' | 'link' | 'path' | 'extended' | 'other';
  /** Not used after a long name, of which a header has the first 100 bytes, perhaps with half a character. */
  readonly path: () => string;
  readonly size: number;
}

/** By the byte that says what a member is. */
const kinds: Readonly<Record<string, Header['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file', // contiguous, which no system makes a difference of
  '1': 'link', // a hard one
  '2': 'link',
  L: 'path', // GNU: the name of the next member
  x: 'extended', // PAX: attributes of the next member
};

/** Links, devices, folders and pipes: some programs write the size of what a link leads to, or of a folder. */
const withoutContents = '123456';

class Headers {
  readonly #source: Source;
  readonly #name: string;
  readonly #buffer = new Uint8Array(readAhead);
  #begin = 0;
  #end = 0;

  constructor(source: Source, name: string) {
    this.#source = source;
    this.#name = name;
  }

  at(position: number): Header | undefined {
    const bytes = this.#read(position);
    if (bytes.every((byte) => byte === 0)) return undefined;
    if (!isSound(bytes)) throw this.#notTar(position, bytes);
    const type = String.fromCharCode(bytes[156]!);
    if (type === 'S') throw this.fault(position, 'has a sparse file. Pack it without the option --sparse');
    const size = numberIn(bytes.subarray(124, 136));
    if (!Number.isSafeInteger(size) || size < 0) throw this.fault(position, 'has an invalid size');
    const isEmpty = withoutContents.includes(type);
    return { kind: kinds[type] ?? 'other', path: () => pathIn(bytes, this.#name), size: isEmpty ? 0 : size };
  }

  longName(start: number, length: number): string {
    return textIn(this.#contents(start, length), this.#name);
  }

  /** Records "LENGTH KEY=VALUE\n", where LENGTH counts all of the record. */
  extended(start: number, length: number): Override {
    const bytes = this.#contents(start, length);
    let found: Override = {};
    for (let at = 0; at < bytes.length; ) {
      const space = bytes.indexOf(0x20, at);
      const size = Number(ascii(bytes.subarray(at, space)));
      if (space < 0 || !Number.isInteger(size) || size <= space - at || at + size > bytes.length) {
        throw this.fault(start, 'has a damaged extended header');
      }
      const record = textIn(bytes.subarray(space + 1, at + size - 1), this.#name);
      const [key, value] = [record.slice(0, record.indexOf('=')), record.slice(record.indexOf('=') + 1)];
      if (key === 'path') found = { ...found, path: value };
      if (key === 'size' && /^\d{1,15}$/.test(value)) found = { ...found, size: Number(value) };
      if (key.startsWith('GNU.sparse.'))
        throw this.fault(start, 'has a sparse file. Pack it without the option --sparse');
      at += size;
    }
    return found;
  }

  fault(position: number, problem: string): FormatError {
    return new FormatError(`${this.#name}: the tar archive ${problem}, at byte ${position}.`);
  }

  #contents(start: number, length: number): Uint8Array {
    if (length > longestName) throw this.fault(start, `has a name of ${length} bytes`);
    const bytes = new Uint8Array(length);
    fillWhole(this.#source, bytes, start, this.#name);
    return bytes;
  }

  #read(position: number): Uint8Array {
    if (position < this.#begin || position + block > this.#end) {
      this.#begin = position;
      this.#end = position + this.#source.fill(this.#buffer, position);
    }
    if (position + block > this.#end) throw this.fault(position, 'is truncated');
    return this.#buffer.subarray(position - this.#begin, position - this.#begin + block);
  }

  #notTar(position: number, bytes: Uint8Array): FormatError {
    if (position > 0) return this.fault(position, 'is damaged');
    const packer = packers.find(({ magic }) => magic.every((byte, i) => byte === bytes[i]));
    if (packer === undefined) return new FormatError(`${this.#name} is not a tar archive.`);
    const { format, command } = packer;
    return new FormatError(
      `${this.#name} is compressed with ${format}, in which single images cannot be found. Decompress it first: ${command} ${this.#name}`,
    );
  }
}

const packers = [
  { format: 'gzip', magic: [0x1f, 0x8b], command: 'gzip -dk' },
  { format: 'bzip2', magic: [0x42, 0x5a, 0x68], command: 'bzip2 -dk' },
  { format: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], command: 'xz -dk' },
  { format: 'Zstandard', magic: [0x28, 0xb5, 0x2f, 0xfd], command: 'zstd -dk' },
] as const;

/** Whether the checksum is right: the sum of all bytes, with spaces in place of itself. */
function isSound(bytes: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < block; i++) sum += i >= 148 && i < 156 ? 0x20 : bytes[i]!;
  return sum === numberIn(bytes.subarray(148, 156));
}

/** Octal digits, or for large numbers, as GNU tar writes them, a first bit and an integer of the other bits. */
function numberIn(field: Uint8Array): number {
  if (field[0]! & 0x80) return field.reduce((value, byte, i) => value * 256 + (i === 0 ? byte & 0x7f : byte), 0);
  const digits = ascii(field).replace(/\0.*$/s, '').trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
}

/** The name and, in ustar, the folder before it. GNU tar has times in the place of the folder. */
function pathIn(bytes: Uint8Array, archive: string): string {
  const path = textIn(bytes.subarray(0, 100), archive);
  const isUstar = ascii(bytes.subarray(257, 263)) === 'ustar\0';
  const folder = isUstar ? textIn(bytes.subarray(345, 500), archive) : '';
  return folder === '' ? path : `${folder}/${path}`;
}

const ascii = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text up to the first zero. */
function textIn(bytes: Uint8Array, archive: string): string {
  const end = bytes.indexOf(0);
  try {
    return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
  } catch (cause) {
    const shown = JSON.stringify(new TextDecoder().decode(bytes.subarray(0, 100)).replace(/\0.*$/s, ''));
    throw new FormatError(`${archive} has a name that is not UTF-8, ${shown}. Rename that file and pack it again.`, {
      cause,
    });
  }
}
