/**
 * One file from one address to one place: under a temporary name until it is whole and its hash is right, continued where
 * it broke off, tried again a bounded number of times.
 *
 * Beside `{file}.incomplete` lies `{file}.incomplete.etag`, the version that the server sent, so that a download is only
 * continued with the same version (`If-Range`, RFC 9110 section 13.1.5). Where the hash of the file is known that is not
 * needed: what does not fit is found out.
 */
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FormatError } from '../errors.ts';
import { refusal } from '../files.ts';
import { type Check, checkFile } from './checksum.ts';
import { type Answer, type Client, disconnected, Interrupted } from './http.ts';
import { lock } from './lock.ts';

export interface Download {
  readonly url: string;
  /** Where the file goes, once it is whole. */
  readonly path: string;
  /** Where its bytes go until then. */
  readonly partial: string;
  /** What it is called in progress and errors. */
  readonly name: string;
  /** Bytes, where they are known beforehand. */
  readonly size?: number | undefined;
  readonly check?: Check | undefined;
}

export interface DownloadProgress {
  readonly name: string;
  /** Bytes on disk, those of earlier attempts too. */
  readonly done: number;
  /** Bytes of the whole file, where the server says so. */
  readonly total: number | undefined;
  /** Bytes per second since this attempt began. */
  readonly rate: number;
}

/** How a download goes about it. */
export interface RetryPolicy {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** How often in a row a broken connection or a busy server is tried again. */
  readonly retries: number;
  /** Waits for seconds; rejects when the signal aborts. */
  readonly wait: (seconds: number) => Promise<void>;
  /** Bytes that a file may have at most. */
  readonly limit: number;
}

/** After so many bytes more than there ever were, counting attempts begins anew. */
const headway = 2 ** 20;
const longestWait = 120;

/**
 * Makes `path` exist.
 *
 * @throws UsageError when the file cannot be had or written, FormatError when it is not what was promised.
 */
export async function download(client: Client, wanted: Download, manner: RetryPolicy): Promise<void> {
  const { path, partial } = wanted;
  const refuse = (error: unknown) => {
    throw refusal('write', path, error);
  };
  await mkdir(dirname(partial), { recursive: true }).catch(refuse);
  const { release, renew } = await lock(`${partial}.lock`, partial, manner.wait);
  try {
    if (await sizeOf(path)) return; // somebody else was at it
    await persist(client, wanted, manner, renew);
    if (wanted.check) await checkFile(partial, wanted.check, wanted.name, manner.limit);
    await rename(partial, path).catch(refuse);
    await rm(`${partial}.etag`, { force: true });
  } catch (error) {
    if (error instanceof FormatError)
      await Promise.all([partial, `${partial}.etag`].map((at) => rm(at, { force: true })));
    throw error;
  } finally {
    await release();
  }
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    (found) => found.size,
    () => 0,
  );

/** Tries until the partial file is whole. */
async function persist(
  client: Client,
  wanted: Download,
  manner: RetryPolicy,
  renew: () => Promise<void>,
): Promise<void> {
  let failures = 0;
  let longest = await sizeOf(wanted.partial);
  for (;;) {
    await renew();
    try {
      return await transfer(client, wanted, manner);
    } catch (error) {
      const size = await sizeOf(wanted.partial);
      failures = size >= longest + headway ? 1 : failures + 1;
      longest = Math.max(longest, size);
      await waitAndRetry(error, failures, manner);
    }
  }
}

/**
 * Waits until it is time to try again: as long as the server asks for, or half a second that doubles.
 *
 * @param failures in a row, this one included.
 * @throws the error, where trying again cannot help, has been tried often enough, or would take too long to wait for.
 */
export async function waitAndRetry(error: unknown, failures: number, { retries, wait }: RetryPolicy): Promise<void> {
  if (!(error instanceof Interrupted) || failures > retries) throw error;
  const seconds = error.retryAfter ?? Math.min(30, 2 ** (failures - 2));
  if (seconds > longestWait) throw error;
  await wait(seconds);
}

/** One request: what is missing of the partial file, or all of it. */
async function transfer(client: Client, wanted: Download, manner: RetryPolicy): Promise<void> {
  const { url, partial, size } = wanted;
  const etag = await readFile(`${partial}.etag`, 'utf8').catch(() => undefined);
  const there = etag || wanted.check ? await sizeOf(partial) : 0;
  if (there > 0 && there === size) return;
  const offset = size !== undefined && there > size ? 0 : there;
  const headers = offset > 0 ? { range: `bytes=${offset}-`, ...(etag && { 'if-range': etag }) } : {};
  const answer = await client.ask({ url, headers, signal: manner.signal });
  const { start, total } = rangeOf(answer, wanted, manner.limit);
  const continues = start === offset && (start === 0 || !etag || (answer.header('etag') ?? etag) === etag);
  if (answer.status === 416 || !(continues || start === 0)) {
    answer.body.destroy();
    if (answer.status === 416 && total === offset) return;
    await rm(partial, { force: true });
    throw new Interrupted(`${answer.url.host} sends another part of ${wanted.name} than was asked for.`);
  }
  await remember(`${partial}.etag`, answer.header('etag'));
  const file = await open(partial, start === 0 ? 'w' : 'a').catch((error: unknown) => {
    throw refusal('write', partial, error);
  });
  try {
    await pour(answer, file, { start, total, wanted, manner });
  } finally {
    await file.close();
  }
}

/** Where an answer's bytes begin, and how many the whole file has. */
function rangeOf(
  answer: Answer,
  { name, size }: Download,
  limit: number,
): { start: number; total: number | undefined } {
  const { status, header, url } = answer;
  const encoding = header('content-encoding') ?? 'identity';
  if (encoding !== 'identity') throw new FormatError(`${url.host} sends ${name} as ${encoding}, unasked.`);
  const length = header('content-length');
  const [, first, all] = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(header('content-range') ?? '') ?? [];
  const says = status === 200 ? length : all;
  const promised = says === undefined || says === '*' ? undefined : Number(says);
  const total = promised ?? size;
  if (size !== undefined && total !== size && status !== 416) {
    throw new FormatError(`${url.host} sends ${name} with ${total} bytes, but it should have ${size}.`);
  }
  if (total !== undefined && total > limit) {
    throw new FormatError(`${name} would have ${total} bytes, more than the ${limit} that are allowed.`);
  }
  return { start: status === 200 ? 0 : Number(first ?? Number.NaN), total };
}

/** Keeps a strong etag for `If-Range`; a weak one says nothing of bytes. */
async function remember(path: string, etag: string | undefined): Promise<void> {
  if (etag?.startsWith('"')) {
    await writeFile(path, etag).catch((error: unknown) => {
      throw refusal('write', path, error);
    });
  } else await rm(path, { force: true });
}

interface Pouring {
  readonly start: number;
  readonly total: number | undefined;
  readonly wanted: Download;
  readonly manner: RetryPolicy;
}

/** The body of an answer to the end of a file, and the file to the disk. */
async function pour(answer: Answer, file: FileHandle, { start, total, wanted, manner }: Pouring): Promise<void> {
  const { name, partial } = wanted;
  const began = performance.now();
  let done = start;
  for await (const chunk of bodyOf(answer, manner.signal)) {
    done += chunk.length;
    if (done > (total ?? manner.limit)) {
      throw new FormatError(
        `${answer.url.host} sends more of ${name} than the ${total ?? manner.limit} bytes expected.`,
      );
    }
    await write(file, chunk, partial);
    const rate = (1000 * (done - start)) / Math.max(1, performance.now() - began);
    manner.onProgress?.({ name, done, total, rate });
  }
  if (total !== undefined && done < total) {
    throw new Interrupted(`${answer.url.host} ended after ${done} of the ${total} bytes of ${name}.`);
  }
  await file.sync().catch((error: unknown) => {
    throw refusal('write', partial, error);
  });
}

async function* bodyOf({ body, url }: Answer, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw disconnected(error, url, signal);
      });
      if (next.done) return;
      yield next.value as Uint8Array;
    }
  } finally {
    body.destroy();
  }
}

async function write(file: FileHandle, chunk: Uint8Array, path: string): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, at).catch((error: unknown) => {
      throw refusal('write', path, error);
    });
    at += bytesWritten;
  }
}
