/**
 * Fetches the bytes of an image at an http, https, data or blob URL, up to 64 MiB. Whether they are an image is left to the
 * decoder; the server's content type is ignored.
 */
import { FormatError } from '../errors.ts';
import { joinBytes } from '../tensor.ts';

/** Maximum number of bytes read from a server or a stream. */
export const maxImageBytes = 64 * 2 ** 20;

const defaultTimeout = 60_000;

/** Whether a string is a URL rather than a path. */
export const isUrl = (text: string): boolean => /^(https?:\/\/|file:|data:|blob:)/i.test(text);

/** The name of an image in messages and tables: its path or URL, truncated if it is a `data:` URL. */
export const shortName = (source: string): string =>
  /^data:/i.test(source) && source.length > 48 ? `${source.slice(0, 47)}…` : source;

export interface FetchOptions {
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** Images that are fetched at a time. */
const maxFetches = 8;

/** Fetches for one consumer: a few at a time, in order, and none after `end`. */
export class Fetches {
  readonly #controller = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** Runs `action` when its turn comes. */
  async run<T>(action: (options: FetchOptions) => Promise<T>): Promise<T> {
    if (this.#running === maxFetches) await new Promise<void>((turn) => this.#waiting.push(turn));
    else this.#running += 1;
    const { signal } = this.#controller;
    try {
      signal.throwIfAborted();
      return await action({ signal });
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }

  /** Ends those that are running, and refuses those that are waiting. */
  end(): void {
    this.#controller.abort();
  }
}

/**
 * Fetches the bytes at a URL, following redirects.
 *
 * @param options.timeout milliseconds for all of it.
 * @param options.signal ends it early.
 * @throws FormatError if the server cannot be reached, does not speak HTTP, refuses, or sends more than 64 MiB or takes
 *   longer than a minute.
 */
export async function fetchBytes(
  url: string,
  { timeout = defaultTimeout, signal }: FetchOptions = {},
): Promise<Uint8Array> {
  const late = AbortSignal.timeout(timeout);
  const until = signal ? AbortSignal.any([signal, late]) : late;
  const response = await refusing(url, () => fetch(url, { signal: until }));
  if (!response.ok) {
    await response.body?.cancel();
    const status = `${response.status} ${response.statusText}`.trim();
    throw new FormatError(`Image "${shortName(url)}" cannot be fetched: the server responded ${status}.`);
  }
  return readCapped(response.body ?? [], url);
}

/**
 * Reads all bytes of a stream, such as standard input.
 *
 * @throws FormatError naming the source if there are more than 64 MiB, or the stream fails.
 */
export async function readCapped(
  stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  name: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  await refusing(name, async () => {
    for await (const chunk of stream) {
      length += chunk.length;
      if (length > maxImageBytes) break;
      chunks.push(chunk);
    }
  });
  if (length <= maxImageBytes) return joinBytes(chunks);
  throw new FormatError(`Image "${shortName(name)}" is larger than ${maxImageBytes / 2 ** 20} MiB. Make it smaller.`);
}

async function refusing<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new FormatError(`Image "${shortName(name)}" cannot be fetched: ${reasonOf(cause)}.`, { cause });
  }
}

/** The cause of the error: `fetch` itself only reports that it failed. */
function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  if (!(inner instanceof Error)) return String(inner);
  if (inner.name === 'TimeoutError') return 'the server takes too long';
  if (inner.name === 'HTTPParserError') return 'the server does not speak HTTP';
  const { code } = inner as { code?: unknown };
  return (inner.message || String(code)).replace(/\.$/, '');
}
