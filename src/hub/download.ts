/**
 * Downloads one file from one URL. The file has a temporary name until it is complete and its hash is verified. An
 * interrupted download resumes where it stopped; the number of attempts is limited.
 *
 * `{file}.incomplete.etag`, next to `{file}.incomplete`, records the version that the server sent, so a download only
 * resumes with the same version (`If-Range`, RFC 9110 section 13.1.5). If the hash of the file is known, the etag is
 * not needed: a mismatch is detected at the end.
 */
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FormatError } from '../errors.ts';
import { refusal } from '../files.ts';
import { checkFile, damageOf, type Expected } from './checksum.ts';
import { type Client, connectionError, type FileResponse, Interrupted, Stalled } from './http.ts';
import { isFile } from './hub-cache.ts';
import { lock } from './lock.ts';

export interface Download extends Expected {
  readonly url: string;
  /** Destination of the complete file. */
  readonly path: string;
  /** Destination of its bytes until then. */
  readonly partial: string;
  /** Name shown in progress and error messages. */
  readonly name: string;
}

export interface DownloadProgress {
  readonly name: string;
  /** Bytes on disk, including those from earlier attempts. */
  readonly done: number;
  /** Size of the complete file in bytes, if the server says. */
  readonly total: number | undefined;
  /** Bytes per second since this attempt began. */
  readonly rate: number;
}

/** How a download reports progress, waits and retries. */
export interface RetryPolicy {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Maximum number of consecutive retries after a broken connection or a busy server. */
  readonly retries: number;
  /** Waits for a number of seconds; rejects if the signal aborts. */
  readonly wait: (seconds: number) => Promise<void>;
  /** Seconds to wait for a server that sends nothing, or less than a kilobyte per second. */
  readonly timeout: number;
  /** Maximum size of a file in bytes. */
  readonly limit: number;
  /** Whether to compare the hash of a file that exists, not only its size. */
  readonly verify: boolean;
}

/** Once an attempt gets this many bytes further than any before, the count of failures starts over. */
const headway = 2 ** 20;
const longestWait = 120;

/** A server that sends fewer bytes per second than this is treated like one that sends nothing. */
const slowest = 1000;

/** How often a server that stalls is asked again. */
const stallRetries = 1;

/**
 * Downloads a file, unless it exists at `path`. A damaged file there is replaced.
 *
 * @throws UsageError if the file cannot be fetched or written, FormatError if it is not the expected file.
 */
export async function download(client: Client, wanted: Download, policy: RetryPolicy): Promise<void> {
  const { path, partial } = wanted;
  if (await isThere(wanted, policy)) return;
  const refuse = (error: unknown) => {
    throw refusal('write', path, error);
  };
  await mkdir(dirname(partial), { recursive: true }).catch(refuse);
  const { release, renew } = await lock(`${partial}.lock`, partial, policy.wait);
  try {
    if (await isThere(wanted, policy)) return; // another process downloaded it
    await transferWithRetries(client, wanted, policy, renew);
    if (wanted.check) await checkFile(partial, wanted.check, wanted.name, policy.limit);
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

async function isThere({ path, size, check }: Download, { verify, limit }: RetryPolicy): Promise<boolean> {
  if (!(await isFile(path))) return false;
  return (await damageOf(path, { size, ...(verify && { check }) }, limit)) === undefined;
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    (found) => found.size,
    () => 0,
  );

/** Transfers and retries until the partial file is complete. */
async function transferWithRetries(
  client: Client,
  wanted: Download,
  policy: RetryPolicy,
  renew: () => Promise<void>,
): Promise<void> {
  let failures = 0;
  let longest = await sizeOf(wanted.partial);
  for (;;) {
    await renew();
    try {
      return await transfer(client, wanted, policy);
    } catch (error) {
      const size = await sizeOf(wanted.partial);
      failures = size >= longest + headway ? 1 : failures + 1;
      longest = Math.max(longest, size);
      await waitAndRetry(error, failures, policy);
    }
  }
}

/**
 * Waits before the next attempt: as long as the server asks for, or half a second, doubled after each failure.
 *
 * @param failures the number of consecutive failures, including this one.
 * @throws the error if retrying cannot help, no retries are left, or the wait would be too long.
 */
export async function waitAndRetry(error: unknown, failures: number, { retries, wait }: RetryPolicy): Promise<void> {
  const allowed = error instanceof Stalled ? Math.min(retries, stallRetries) : retries;
  if (!(error instanceof Interrupted) || failures > allowed) throw error;
  const seconds = error.retryAfter ?? Math.min(30, 2 ** (failures - 2));
  if (seconds > longestWait) throw error;
  await wait(seconds);
}

/** One request, for the missing part of the file or for all of it. */
async function transfer(client: Client, wanted: Download, policy: RetryPolicy): Promise<void> {
  const { url, partial, size } = wanted;
  const etag = await readFile(`${partial}.etag`, 'utf8').catch(() => undefined);
  const there = etag || wanted.check ? await sizeOf(partial) : 0;
  if (there > 0 && there === size) return;
  const offset = size !== undefined && there > size ? 0 : there;
  const headers = offset > 0 ? { range: `bytes=${offset}-`, ...(etag && { 'if-range': etag }) } : {};
  const response = await client.request({ url, headers, signal: policy.signal });
  const { start, total } = rangeOf(response, wanted, policy.limit);
  const continues = start === offset && (start === 0 || !etag || (response.header('etag') ?? etag) === etag);
  if (response.status === 416 || !(continues || start === 0)) {
    response.body.destroy();
    if (response.status === 416 && total === offset) return;
    await rm(partial, { force: true });
    throw new Interrupted(`${response.url.host} sent a different part of ${wanted.name} than was requested.`);
  }
  await saveEtag(`${partial}.etag`, response.header('etag'));
  const file = await open(partial, start === 0 ? 'w' : 'a').catch((error: unknown) => {
    throw refusal('write', partial, error);
  });
  try {
    await writeBody(response, file, { start, total, wanted, policy });
  } finally {
    await file.close();
  }
}

/** The offset of a response's bytes, and the size of the complete file. */
function rangeOf(
  response: FileResponse,
  { name, size }: Download,
  limit: number,
): { start: number; total: number | undefined } {
  const { status, header, url } = response;
  const encoding = header('content-encoding') ?? 'identity';
  if (encoding !== 'identity')
    throw new FormatError(`${url.host} sent ${name} with content encoding ${encoding}, which was not requested.`);
  const length = header('content-length');
  const [, first, all] = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(header('content-range') ?? '') ?? [];
  const says = status === 200 ? length : all;
  const promised = says === undefined || says === '*' ? undefined : Number(says);
  const total = promised ?? size;
  if (size !== undefined && total !== size && status !== 416) {
    throw new FormatError(`${url.host} sent ${name} with ${total} bytes, but expected ${size}.`);
  }
  if (total !== undefined && total > limit) {
    throw new FormatError(`${name} has ${total} bytes, but the limit is ${limit}.`);
  }
  return { start: status === 200 ? 0 : Number(first ?? Number.NaN), total };
}

/** Saves a strong etag for `If-Range`. A weak one does not identify bytes. */
async function saveEtag(path: string, etag: string | undefined): Promise<void> {
  if (etag?.startsWith('"')) {
    await writeFile(path, etag).catch((error: unknown) => {
      throw refusal('write', path, error);
    });
  } else await rm(path, { force: true });
}

interface Body {
  readonly start: number;
  readonly total: number | undefined;
  readonly wanted: Download;
  readonly policy: RetryPolicy;
}

/** Appends a response's body to a file and flushes it to disk. */
async function writeBody(
  response: FileResponse,
  file: FileHandle,
  { start, total, wanted, policy }: Body,
): Promise<void> {
  const { name, partial } = wanted;
  const began = performance.now();
  let done = start;
  for await (const chunk of bodyOf(response, policy)) {
    done += chunk.length;
    if (done > (total ?? policy.limit)) {
      throw new FormatError(
        `${response.url.host} sent more than the expected ${total ?? policy.limit} bytes of ${name}.`,
      );
    }
    await write(file, chunk, partial);
    const rate = (1000 * (done - start)) / Math.max(1, performance.now() - began);
    policy.onProgress?.({ name, done, total, rate });
  }
  if (total !== undefined && done < total) {
    throw new Interrupted(`${response.url.host} closed the connection after ${done} of the ${total} bytes of ${name}.`);
  }
  await file.sync().catch((error: unknown) => {
    throw refusal('write', partial, error);
  });
}

/** The pieces of a response's body, as long as they come fast enough. */
async function* bodyOf({ body, url }: FileResponse, { signal, timeout }: RetryPolicy): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  let [since, received] = [performance.now(), 0];
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw connectionError(error, url, signal);
      });
      if (next.done) return;
      received += next.value.length;
      if (performance.now() - since > 1000 * timeout) {
        if (received < slowest * timeout) {
          throw new Stalled(`${url.host} sent only ${received} bytes within ${timeout} seconds.`);
        }
        [since, received] = [performance.now(), 0];
      }
      yield next.value;
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
