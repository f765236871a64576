/**
 * The bytes of an image behind a URL: http and https are fetched, `data:` holds them itself. At most 64 MiB are taken, and
 * decoding decides whether they are an image, whatever the server calls them.
 */
import { FormatError } from '../errors.ts';
import { joinBytes } from '../tensor.ts';

/** The most bytes that are taken from a server or a stream. */
export const maxImageBytes = 64 * 2 ** 20;

const timeout = 60_000;

/** Whether a string is a URL, rather than a path. */
export const isUrl = (text: string): boolean => /^(https?:\/\/|file:|data:|blob:)/i.test(text);

/** The name of an image's address in messages and tables: a `data:` URL is cut short. */
export const shortName = (source: string): string =>
  /^data:/i.test(source) && source.length > 48 ? `${source.slice(0, 47)}…` : source;

/**
 * Gets the bytes behind a URL; redirects are followed.
 *
 * @throws FormatError when the server cannot be reached, does not answer within a minute, refuses, or sends more than
 *   64 MiB.
 */
export async function fetchBytes(url: string): Promise<Uint8Array> {
  const response = await refusing(url, () => fetch(url, { signal: AbortSignal.timeout(timeout) }));
  if (!response.ok) {
    await response.body?.cancel();
    const status = `${response.status} ${response.statusText}`.trim();
    throw new FormatError(`Image "${shortName(url)}" cannot be fetched: the server answers ${status}.`);
  }
  return readCapped(response.body ?? [], url);
}

/**
 * All bytes of a stream, such as standard input.
 *
 * @throws FormatError naming the source when there are more than 64 MiB, or the stream breaks off.
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
  throw new FormatError(`Image "${shortName(name)}" is larger than ${maxImageBytes / 2 ** 20} MiB; make it smaller.`);
}

async function refusing<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new FormatError(`Image "${shortName(name)}" cannot be fetched: ${reasonOf(cause)}.`, { cause });
  }
}

/** The reason in words: `fetch` itself only reports that it failed. */
function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  if (!(inner instanceof Error)) return String(inner);
  if (inner.name === 'TimeoutError') return `no answer within ${timeout / 1000} seconds`;
  const { code } = inner as { code?: unknown };
  return (inner.message || String(code)).replace(/\.$/, '');
}
