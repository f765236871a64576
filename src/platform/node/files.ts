/** Reads image files from disk. */
import { closeSync, fstatSync, openSync, readFileSync, readSync, type Stats, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';
import { FormatError } from '../../errors.ts';
import { kindOf } from '../../files.ts';
import type { Extent, Packing } from '../contract.ts';
import { firstLine, unreadable } from '../image-errors.ts';
import type { readParquetValue } from './parquet/value.ts';

export const isFile = (source: string): boolean => !/^(https?:\/\/|data:|blob:)/i.test(source);

/** In bytes: larger than any file that the largest image may have. */
const maxFileSize = 2 ** 30;

/** Blocking is faster for small files than four round trips through libuv's threads, which are busy decoding. */
export function readImageFile(path: string, name = path): Uint8Array {
  const local = /^file:/i.test(path) ? pathOf(path) : path;
  try {
    checkFile(statSync(local), name, maxFileSize); // first, because opening a FIFO waits for whoever writes into it
    return readFileSync(local);
  } catch (cause) {
    throw cause instanceof FormatError ? cause : absent(name, cause);
  }
}

/** What undoes a packing. */
const unpack: Readonly<Record<Extract<Packing, string>, (bytes: Uint8Array) => Uint8Array>> = {
  stored: (bytes) => bytes,
  deflate: (bytes) => inflateRawSync(bytes, { maxOutputLength: maxFileSize }),
  cifar: interleaved,
};

const cifarHeader = new TextEncoder().encode('P6 32 32 255\n');

/** CIFAR's red, green and blue planes as a PPM file. */
function interleaved(planes: Uint8Array): Uint8Array {
  const file = new Uint8Array(cifarHeader.length + planes.length);
  file.set(cifarHeader);
  const size = planes.length / 3;
  for (let i = 0, to = cifarHeader.length; i < size; i++) {
    for (let plane = 0; plane < 3; plane++) file[to++] = planes[plane * size + i]!;
  }
  return file;
}

/** Opens the larger file each time: the system keeps what it needs of it, and nothing is left to close. */
export function readPacked({ path, start, length, packing }: Extent, name: string): Uint8Array | Promise<Uint8Array> {
  if (typeof packing !== 'string') return readParquet(path, { start, length }, packing, name);
  if (length > maxFileSize) throw unreadable(name, `it takes more than ${maxFileSize / 2 ** 30} GiB`);
  try {
    const file = openSync(path, 'r');
    try {
      checkFile(fstatSync(file), path, Infinity);
      const bytes = new Uint8Array(length);
      let read = 0;
      for (let count = -1; read < length && count !== 0; read += count) {
        count = readSync(file, bytes, read, length - read, start + read);
      }
      if (read < length) throw unreadable(name, `"${path}" ends before it`);
      return unpack[packing](bytes);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw (cause as { code?: string }).code === 'ENOENT'
      ? absent(path, cause)
      : unreadable(name, firstLine(cause), cause);
  }
}

/** Loads what reads Parquet when the first image needs it. */
async function readParquet(...value: Parameters<typeof readParquetValue>): Promise<Uint8Array> {
  return (await import('./parquet/value.ts')).readParquetValue(...value);
}

function checkFile(found: Stats, name: string, largest: number): void {
  if (found.isDirectory()) throw new FormatError(`"${name}" is a folder. Name the images in it.`);
  if (!found.isFile()) {
    throw new FormatError(
      `"${name}" is ${kindOf(found)}, but expected an image file. Copy what it contains to a file.`,
    );
  }
  if (found.size > largest) throw unreadable(name, `its file has more than ${largest / 2 ** 30} GiB`);
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new FormatError(`"${url}" is not a file on this machine. Expected a URL like file:///path/to/image.jpg.`, {
      cause,
    });
  }
}

function absent(name: string, cause: unknown): FormatError {
  const { code } = cause as { code?: string };
  if (code !== 'ENOENT' && code !== 'ENOTDIR') return unreadable(name, firstLine(cause), cause);
  const hint = name.includes('\ufffd') ? ' If its name is not in UTF-8, rename it.' : '';
  return new FormatError(`There is no image "${name}".${hint}`, { cause });
}
