/** Reads image files from disk. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FormatError } from '../../errors.ts';
import { firstLine, unreadable } from '../image-errors.ts';

export const isFile = (source: string): boolean => !/^(https?:\/\/|data:|blob:)/i.test(source);

/** Blocking is faster for small files than four round trips through libuv's threads, which are busy decoding. */
export function readImageFile(path: string, name = path): Uint8Array {
  const local = /^file:/i.test(path) ? pathOf(path) : path;
  try {
    return readFileSync(local);
  } catch (cause) {
    throw absent(name, cause);
  }
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
  if (code === 'ENOENT' || code === 'ENOTDIR') return new FormatError(`There is no image "${name}".`, { cause });
  if (code === 'EISDIR') return new FormatError(`"${name}" is a folder. Name the images in it.`, { cause });
  return unreadable(name, firstLine(cause), cause);
}
