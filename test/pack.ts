/** Packs files into archives for tests: tar as POSIX has it, zip with the given entries, and both with faults on request. */
import { crc32, deflateRawSync } from 'node:zlib';

/** Names and contents. */
export type Files = Readonly<Record<string, Uint8Array | string>>;

const bytesOf = (contents: Uint8Array | string): Uint8Array =>
  typeof contents === 'string' ? new TextEncoder().encode(contents) : contents;

export function tar(files: Files): Uint8Array {
  const parts = Object.entries(files).flatMap(([name, contents]) => {
    const data = bytesOf(contents);
    return [tarHeader(name, data.length), data, new Uint8Array(-data.length & 511)];
  });
  return Buffer.concat([...parts, new Uint8Array(1024)]);
}

/** @param fields bytes to write over the header, by position, before its checksum. */
export function tarHeader(name: string, size: number, fields: Readonly<Record<number, string>> = {}): Uint8Array {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644', 100);
  header.write(size.toString(8).padStart(11, '0'), 124);
  header.write('0', 156);
  header.write('ustar\0', 257);
  for (const [at, text] of Object.entries(fields)) header.write(text, Number(at), 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** What the headers of a zip entry say, where it is not the truth. */
export interface ZipFault {
  readonly method?: number;
  readonly flags?: number;
  readonly size?: number;
  readonly packed?: number;
  readonly offset?: number;
}

export function zip(
  files: Files,
  { deflate = false, faults = {} as Readonly<Record<string, ZipFault>> } = {},
): Uint8Array {
  const [parts, entries]: [Uint8Array[], Uint8Array[]] = [[], []];
  let offset = 0;
  for (const [name, contents] of Object.entries(files)) {
    const data = bytesOf(contents);
    const body = deflate ? deflateRawSync(data) : data;
    const {
      method = deflate ? 8 : 0,
      flags = 0,
      size = data.length,
      packed = body.length,
      offset: at = offset,
    } = faults[name] ?? {};
    const fixed = Buffer.alloc(26);
    fixed.writeUInt16LE(20, 0);
    fixed.writeUInt16LE(flags, 2);
    fixed.writeUInt16LE(method, 4);
    fixed.writeUInt32LE(crc32(data), 10);
    fixed.writeUInt32LE(packed, 14);
    fixed.writeUInt32LE(size, 18);
    const title = Buffer.from(name);
    fixed.writeUInt16LE(title.length, 22);
    parts.push(Buffer.from('PK\x03\x04'), fixed, title, body);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    entries.push(Buffer.from('PK\x01\x02\x14\x00'), fixed, rest, title);
    offset += 30 + title.length + body.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}
