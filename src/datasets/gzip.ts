/**
 * Archives compressed with gzip. Nothing in the middle of one can be read without everything before it, so it is
 * decompressed once, next to this package's cache, if that takes at most 2 GiB. A larger one is left to `gzip`, on a disk
 * of the user's choice.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { findEntry, stageEntry } from '../cache/entries.ts';
import { fingerprint } from '../cache/fingerprint.ts';
import { cacheFolder } from '../cache/folder.ts';
import { FormatError, UsageError } from '../errors.ts';
import { withFile } from '../files.ts';

const limit = 2 * 2 ** 30;
/** Several, since another run may be reading its own. Those that were opened last are kept. */
const limitOfAll = 4 * limit;
const fileName = 'archive.tar';

/**
 * The path of an archive that is not compressed: the given one, or its decompressed copy.
 *
 * @throws FormatError if it is damaged or becomes too large; UsageError if there is nowhere to keep the copy.
 */
export async function decompressed(path: string): Promise<string> {
  if (!isGzip(path)) return path;
  const caches = cacheFolder();
  if (caches === undefined) throw tooLarge(path, 'RESNEXT_CACHE is "off", so there is nowhere to decompress');
  const folder = `${caches}-archives`;
  const key = fingerprint(path);
  const known = findEntry(folder, key) ?? (await decompress(path, folder, key));
  if (known) return join(known.path, fileName);
  throw new UsageError(`"${path}" cannot be decompressed into "${folder}". Decompress it first: gzip -dk ${path}`);
}

const isGzip = (path: string): boolean =>
  withFile(path, (file) => {
    const head = new Uint8Array(2);
    file.fill(head, 0);
    return head[0] === 0x1f && head[1] === 0x8b;
  });

async function decompress(path: string, folder: string, key: string): Promise<{ readonly path: string } | undefined> {
  const staged = stageEntry(folder, key, limitOfAll);
  if (!staged) return undefined;
  try {
    const into = createWriteStream(join(staged.path, fileName));
    await pipeline(createReadStream(path), createGunzip(), (chunks) => upToLimit(chunks, path), into);
  } catch (cause) {
    staged.discard();
    if (!(cause instanceof Error) || cause instanceof FormatError) throw cause;
    if ((cause as NodeJS.ErrnoException).code?.startsWith('Z_') !== true) return undefined; // the disk is full, say
    throw new FormatError(`${path} is damaged: ${cause.message}. Download it again.`, { cause });
  }
  staged.commit(path);
  return findEntry(folder, key);
}

async function* upToLimit(chunks: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > limit) throw tooLarge(path, `it has more than ${limit / 2 ** 30} GiB when decompressed`);
    yield chunk;
  }
}

const tooLarge = (path: string, why: string): FormatError =>
  new FormatError(`"${path}" is compressed with gzip, and ${why}. Decompress it first: gzip -dk ${path}`);
