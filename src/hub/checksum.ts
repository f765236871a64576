/**
 * Whether a file is the one that was promised: SHA-256 for the hub's large files and for torch.hub's names, which have its
 * first digits; git's blob hash, SHA-1 of `blob {size}\0` and the contents, for the hub's small files; and for zips the
 * SHA-1 of the file inside, which is found as the reader of weights will find it: by the archive's directory, as a zip
 * may hold more than that names.
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
  /** Hexadecimal, whole or only its start. */
  readonly digest: string;
}

const names: Readonly<Record<Check['kind'], string>> = {
  sha256: 'SHA-256',
  'git-blob': 'git hash',
  'sha1-inside': 'SHA-1 inside',
};

/**
 * @param what the file is called in the error.
 * @param limit bytes that a zip's file may have.
 * @throws FormatError when the file's hash is another.
 */
export async function checkFile(path: string, check: Check, what: string, limit: number): Promise<void> {
  const found = await digest(path, check.kind, what, limit);
  if (found.startsWith(check.digest)) return;
  throw new FormatError(
    `${what} is not what was promised: its ${names[check.kind]} is ${found.slice(0, check.digest.length)}, but should be ${check.digest}. It was removed; pull it again, from elsewhere if this goes on.`,
  );
}

async function digest(path: string, kind: Check['kind'], what: string, limit: number): Promise<string> {
  if (kind === 'sha256') return hashOf(createReadStream(path), 'sha256');
  if (kind === 'git-blob') return hashOf(createReadStream(path), 'sha1', `blob ${(await stat(path)).size}\0`);
  const inside = await weightsInZip(fileSource(path), what);
  if (inside.size > limit) throw new FormatError(`${what} holds a file of more than ${limit} bytes.`);
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
