/**
 * Whether a file is the one that was promised: SHA-256 for the hub's large files and for torch.hub's names, which have its
 * first digits; git's blob hash, SHA-1 of `blob {size}\0` and the contents, for the hub's small files; and for zips the
 * SHA-1 of the file inside, which is inflated on the way and never held.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { FormatError } from '../errors.ts';

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
export async function verify(path: string, check: Check, what: string, limit: number): Promise<void> {
  const found = await digest(path, check.kind, what, limit);
  if (found.startsWith(check.digest)) return;
  throw new FormatError(
    `${what} is not what was promised: its ${names[check.kind]} is ${found.slice(0, check.digest.length)}, but should be ${check.digest}. It was removed; pull it again, from elsewhere if this goes on.`,
  );
}

async function digest(path: string, kind: Check['kind'], what: string, limit: number): Promise<string> {
  if (kind === 'sha256') return hashOf(createReadStream(path), 'sha256');
  if (kind === 'git-blob') return hashOf(createReadStream(path), 'sha1', `blob ${(await stat(path)).size}\0`);
  try {
    return await hashOf(await firstInZip(path, what), 'sha1', '', (bytes) => {
      if (bytes > limit) throw new FormatError(`${what} holds a file of more than ${limit} bytes.`);
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && /^Z_/.test(String(error.code)))) throw error;
    throw new FormatError(`${what} is a broken zip: ${error.message}.`, { cause: error });
  }
}

async function hashOf(
  stream: Readable,
  algorithm: string,
  start = '',
  seen: (bytes: number) => void = () => {},
): Promise<string> {
  const hash = createHash(algorithm).update(start);
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    bytes += chunk.length;
    seen(bytes);
  }
  return hash.digest('hex');
}

const localHeader = 30;

/** The contents of the first file of a zip, inflated: after a header of 30 bytes, a name and an extra field. */
async function firstInZip(path: string, what: string): Promise<Readable> {
  const file = await open(path);
  const header = Buffer.alloc(localHeader);
  try {
    await file.read(header, 0, localHeader, 0);
  } finally {
    await file.close();
  }
  const [signature, method] = [header.readUInt32LE(0), header.readUInt16LE(8)];
  const compressed = header.readUInt32LE(18);
  const isStored = method === 0 && compressed > 0 && compressed < 0xffffffff;
  if (signature !== 0x04034b50 || !(method === 8 || isStored)) {
    throw new FormatError(`${what} is not a zip that starts with a file, deflated or stored.`);
  }
  const start = localHeader + header.readUInt16LE(26) + header.readUInt16LE(28);
  const stored = createReadStream(path, { start, ...(method === 0 && { end: start + compressed - 1 }) });
  const contents = method === 8 ? createInflateRaw() : new PassThrough();
  stored.on('error', (error) => contents.destroy(error));
  contents.on('error', () => stored.destroy());
  return stored.pipe(contents);
}
