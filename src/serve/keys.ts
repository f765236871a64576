/** Who may ask: API keys, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Problem } from './problem.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** A key as it is sent: `Authorization: Bearer KEY`, or `X-API-Key: KEY`. */
interface KeyHeaders {
  readonly authorization?: string | undefined;
  readonly 'x-api-key'?: string | string[] | undefined;
}

export class Keys {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  get isRequired(): boolean {
    return this.#digests.length > 0;
  }

  /** @throws Problem with 401 unless one of the keys was sent. Takes the same time whichever it is. */
  check(headers: KeyHeaders): void {
    if (!this.isRequired) return;
    const sent = digest(sentKey(headers) ?? '');
    const matches = this.#digests.map((known) => timingSafeEqual(known, sent));
    if (matches.includes(true)) return;
    throw new Problem(401, 'A key is required: Authorization: Bearer KEY.', { 'www-authenticate': 'Bearer' });
  }

  /** The client of a request for limits: its key, hashed, or undefined. */
  clientOf(headers: KeyHeaders): string | undefined {
    const key = this.isRequired ? sentKey(headers) : undefined;
    return key === undefined ? undefined : digest(key).toString('base64');
  }
}

function sentKey({ authorization, 'x-api-key': own }: KeyHeaders): string | undefined {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  return bearer ?? (typeof own === 'string' ? own : undefined);
}
