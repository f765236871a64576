/** Errors that are answers: a status, a sentence, and headers. */

import { QueueFullError } from '../batcher/queue-full.ts';
import { NotFiniteError } from '../classifier/finite.ts';
import { FormatError, UsageError } from '../errors.ts';

/** What a request is answered with instead of a result. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** The client may try again after a number of seconds. */
export const busy = (status: 429 | 503, message: string, seconds: number): Problem =>
  new Problem(status, message, { 'retry-after': `${seconds}` });

/** What an error is answered with. Any other error is a bug, whose message is for the log. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof QueueFullError) return busy(429, error.message, error.retryAfter);
  if (error instanceof NotFiniteError) return new Problem(500, error.message);
  if (error instanceof UsageError) return new Problem(400, error.message);
  if (error instanceof FormatError) return new Problem(422, error.message);
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode !== undefined && statusCode < 500) return new Problem(statusCode, `${message}`);
  if (statusCode === 503) return busy(503, 'The server is about to end. Ask another one.', 1);
  return new Problem(500, 'The server failed to answer. Its log says why.');
}
