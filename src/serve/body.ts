/** Reads the body of a request into memory, with limits on its size, its time, and the bodies of all requests together. */
import type { IncomingMessage } from 'node:http';
import { busy, Problem } from './problem.ts';

/** The memory for the bodies of all requests, which is taken as they arrive. */
export class BodyMemory {
  readonly #limit: number;
  #taken = 0;

  /** @param limit bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  take(bytes: number): void {
    if (this.#taken + bytes > this.#limit) {
      throw busy(429, 'The requests in progress take all memory that is set aside for them. Try again soon.', 1);
    }
    this.#taken += bytes;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}

export interface BodyLimits {
  readonly memory: BodyMemory;
  readonly maxBytes: number;
  /** Seconds. */
  readonly seconds: number;
}

export type BodyBytes = ReturnType<typeof Buffer.concat>;

/** A body, which takes memory until it is released. */
export interface Body {
  readonly bytes: BodyBytes;
  release(): void;
}

/** Whether a request says that its body is larger than the limit. */
export const isTooLarge = (
  { headers }: Pick<IncomingMessage, 'headers'>,
  { maxBytes }: Pick<BodyLimits, 'maxBytes'>,
): boolean => Number(headers['content-length'] ?? 0) > maxBytes;

/**
 * @throws Problem with 413, 408 or 429. What still comes is then dropped, so that the client gets the answer.
 */
export async function readBody(request: IncomingMessage, { memory, maxBytes, seconds }: BodyLimits): Promise<Body> {
  const chunks: Buffer[] = [];
  let length = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const release = () => {
    memory.give(length);
    length = 0;
  };
  const tooLarge = () =>
    new Problem(413, `The request is larger than ${maxBytes / 2 ** 20} MiB. Send fewer or smaller images.`);
  try {
    if (isTooLarge(request, { maxBytes })) throw tooLarge();
    await new Promise<void>((resolve, reject) => {
      const late = () => {
        reject(new Problem(408, `The request took more than ${seconds} s to arrive.`, { connection: 'close' }));
      };
      timer = setTimeout(late, 1000 * seconds);
      const gone = () => {
        if (request.readableEnded) return; // requests are closed after their end, too
        reject(new Problem(400, 'The client left before its request was complete.'));
      };
      request
        .on('data', (chunk: Buffer) => {
          try {
            if (length + chunk.length > maxBytes) throw tooLarge();
            memory.take(chunk.length);
            length += chunk.length;
            chunks.push(chunk);
          } catch (error) {
            reject(error);
          }
        })
        .once('end', resolve)
        .once('error', gone)
        .once('close', gone);
    }).finally(() => {
      clearTimeout(timer);
      request.removeAllListeners('data');
    });
    return { bytes: Buffer.concat(chunks), release };
  } catch (error) {
    release();
    request.resume();
    throw error;
  }
}
