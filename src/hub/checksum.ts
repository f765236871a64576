/**
 * Verifies downloads: SHA-256 for the hub's large files and for torch.hub's file names, which contain its first digits;
 * git's blob hash (SHA-1 of `blob {size}\0` and the contents) for the hub's small files; for zip archives the SHA-1 of
 * the file inside. That file is located through the archive's directory, exactly as the weights reader will, because an
 * archive can contain data that its directory does not list.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { FormatError } from '../errors.ts';
import { fileSource } from '../weights/files.ts';
import { chunksOf } from '../weights/source.ts';
import { weightsInZip } from '../weights/torch-zip.ts';

export interface Check {
  readonly kind: 'sha256' | 'git-blob' | 'sha1-inside';
  /** Hexadecimal, complete or a prefix. */
  readonly digest: string;
}

/** What is known about a file. */
export interface Expected {
  /** Size in bytes. */
  readonly size?: number | undefined;
  readonly check?: Check | undefined;
}

const names: Readonly<Record<Check['kind'], string>> = {
  sha256: 'SHA-256',
  'git-blob': 'git hash',
  'sha1-inside': 'SHA-1 of the file inside',
};

/**
 * Compares the hash of a file with the expected one.
 *
 * @param what the name of the file in error messages.
 * @param limit the maximum size in bytes of the file in a zip archive.
 * @throws FormatError if the hash differs.
 */
export async function checkFile(path: string, check: Check, what: string, limit: number): Promise<void> {
  const difference = await mismatch(path, check, what, limit);
  if (difference === undefined) return;
  throw new FormatError(
    `${what} is not the expected file: ${difference}. It was deleted; pull it again, or from another source if this persists.`,
  );
}

/**
 * What is wrong with an existing file, as the end of a sentence, or undefined if it is as expected. A file of unknown
 * size is wrong if it is empty.
 *
 * @param limit as in `checkFile`.
 */
export async function damageOf(path: string, { size, check }: Expected, limit: number): Promise<string | undefined> {
  const { size: found } = await stat(path);
  if (found === 0 && size !== 0) return 'it is empty';
  if (size !== undefined && found !== size) return `it has ${found} bytes, but expected ${size}`;
  if (!check) return undefined;
  try {
    return await mismatch(path, check, 'the file', limit);
  } catch (error) {
    if (error instanceof FormatError) return error.message.replace(/\.$/, '');
    throw error;
  }
}

async function mismatch(path: string, check: Check, what: string, limit: number): Promise<string | undefined> {
  const found = await digest(path, check.kind, what, limit);
  if (found.startsWith(check.digest)) return undefined;
  return `its ${names[check.kind]} is ${found.slice(0, check.digest.length)}, but expected ${check.digest}`;
}

async function digest(path: string, kind: Check['kind'], what: string, limit: number): Promise<string> {
  if (kind === 'sha256') return hashOf(createReadStream(path), 'sha256');
  if (kind === 'git-blob') return hashOf(createReadStream(path), 'sha1', `blob ${(await stat(path)).size}\0`);
  const inside = await weightsInZip(fileSource(path), what);
  if (inside.size > limit) throw new FormatError(`${what} contains a file of more than ${limit} bytes.`);
  return hashOf(chunksOf(inside, what), 'sha1');
}

async function hashOf(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  algorithm: string,
  start = '',
): Promise<string> {
  const hash = createHash(algorithm).update(start);
  for await (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}
