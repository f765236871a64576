/** Hashes of files. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { readable, refusal } from '../files.ts';

/** The SHA-256 of a file. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(readable(path)), hash).catch((error: unknown) => {
    throw refusal('read', path, error);
  });
  return hash.digest('hex');
}
