/**
 * Requests for files: redirects are followed here, so that the hub's token stays with the hub; refusals and broken
 * connections become errors that say whether trying again can help.
 */
import type { Readable } from 'node:stream';
import type { Dispatcher, request } from 'undici';
import { UsageError } from '../errors.ts';
import type { HubEnvironment } from './environment.ts';

/** The file cannot be had from there: no connection, no such file, no permission. Another source may have it. */
export class Unreachable extends UsageError {
  /** The server's status, or 0 where there was no answer. */
  readonly status: number;

  constructor(message: string, status = 0, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** What may be over when tried again: a connection that broke, a server that is busy. */
export class Interrupted extends Unreachable {
  /** Seconds that the server asks to wait. */
  readonly retryAfter: number | undefined;

  constructor(message: string, status = 0, retryAfter?: number, options?: ErrorOptions) {
    super(message, status, options);
    this.retryAfter = retryAfter;
  }
}

export interface Answer {
  readonly status: number;
  /** The address that answered, after redirects. */
  readonly url: URL;
  readonly header: (name: string) => string | undefined;
  readonly body: Readable;
}

export interface Ask {
  readonly url: string;
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether to answer with the first redirect away from the hub, in place of following it. */
  readonly stayOnHub?: boolean;
  readonly signal?: AbortSignal | undefined;
}

const redirectsAtMost = 10;

/** Where mirrors send those who ask for what they have not copied. */
const hubHosts = ['huggingface.co', 'hf.co'];

/** undici, which is loaded with the first request, and its connections. */
interface Network {
  readonly request: typeof request;
  readonly dispatcher: Dispatcher;
}

/** Makes requests in one environment, over connections that it keeps until `close`. */
export class Client {
  readonly #environment: HubEnvironment;
  #network: Promise<Network> | undefined;
  readonly #answerWithin: number;

  /** @param answerWithin milliseconds from a request to its answer's headers, connecting to a proxy included. */
  constructor(environment: HubEnvironment, answerWithin = 60_000) {
    this.#environment = environment;
    this.#answerWithin = answerWithin;
  }

  async close(): Promise<void> {
    await (await this.#network)?.dispatcher.destroy();
  }

  async #open(): Promise<Network> {
    const { EnvHttpProxyAgent, request } = await import('undici');
    const { http, https, except } = this.#environment.proxies;
    const proxies = { httpProxy: http, httpsProxy: https, noProxy: except };
    return { request, dispatcher: new EnvHttpProxyAgent({ ...proxies, bodyTimeout: 60_000 }) };
  }

  /**
   * The answer to a request that a server has granted: its status is 200 or 206, or a redirect's under `stayOnHub`, or
   * 416, which asks for another range.
   *
   * @throws Interrupted when trying again may help, Unreachable when it will not.
   */
  async ask(question: Ask): Promise<Answer> {
    let url = new URL(question.url);
    for (let redirects = 0; redirects <= redirectsAtMost; redirects++) {
      const answer = await this.#once(url, question);
      const location = answer.status >= 300 && answer.status < 400 ? answer.header('location') : undefined;
      if (location === undefined) return granted(answer);
      const next = redirected(url, location);
      if (question.stayOnHub && next.host !== url.host && !hubHosts.includes(next.host)) return answer;
      answer.body.resume();
      url = next;
    }
    throw new Unreachable(`${question.url} redirects more than ${redirectsAtMost} times.`);
  }

  async #once(url: URL, { method = 'GET', headers, signal }: Ask): Promise<Answer> {
    const { endpoint, token } = this.#environment;
    const authorization = token && url.origin === new URL(endpoint).origin ? { authorization: `Bearer ${token}` } : {};
    const all = { 'user-agent': 'resnext', 'accept-encoding': 'identity', ...headers, ...authorization };
    this.#network ??= this.#open();
    const { request, dispatcher } = await this.#network;
    const late = new AbortController();
    const limit = setTimeout(() => late.abort(), this.#answerWithin);
    const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
    try {
      const options = { method, headers: all, dispatcher, signal: either };
      const { statusCode, headers: found, body } = await Promise.race([request(url, options), aborted(either)]);
      body.on('error', () => {}); // whoever reads the body learns of it; one that is left unread may break unheard
      const header = (name: string) => {
        const value = found[name];
        return Array.isArray(value) ? value[0] : value;
      };
      return { status: statusCode, url, header, body };
    } catch (error) {
      if (late.signal.aborted && !signal?.aborted) {
        throw new Interrupted(`${url.host} does not answer within ${this.#answerWithin / 1000} seconds.`);
      }
      throw disconnected(error, url, signal);
    } finally {
      clearTimeout(limit);
    }
  }
}

/** Rejects when the signal aborts: undici itself does not while it waits for a proxy's tunnel. */
const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });

/**
 * Where a redirect leads.
 *
 * @throws Unreachable when that is no address, or from https to anything else.
 */
export function redirected(from: URL, location: string): URL {
  if (!URL.canParse(location, from)) throw new Unreachable(`${from.host} redirects to "${location}", no address.`);
  const to = new URL(location, from);
  const weaker = from.protocol === 'https:' && to.protocol !== 'https:';
  if (weaker || !/^https?:$/.test(to.protocol)) {
    throw new Unreachable(`${from.host} redirects to ${to.protocol}//${to.host}, which is not safe to follow.`);
  }
  return to;
}

function granted(answer: Answer): Answer {
  const { status, url, header } = answer;
  if (status === 200 || status === 206 || status === 416) return answer;
  answer.body.resume();
  const text = `${url.host} answers ${status} for ${url.pathname}`;
  if (status === 429 || status === 408 || status >= 500) {
    throw new Interrupted(
      `${text}: ${reasons[status] ?? 'the server is in trouble'}.`,
      status,
      seconds(header('retry-after')),
    );
  }
  throw new Unreachable(`${text}: ${reasons[status] ?? 'the request is refused'}.`, status);
}

const reasons: Readonly<Record<number, string>> = {
  401: 'it wants to know who asks; set HF_TOKEN to a token of yours, and check the name',
  403: 'it does not permit this; accept the terms on its page, or set HF_TOKEN to a token that may read it',
  404: 'there is no such file',
  429: 'too many requests',
};

/** Retry-After in seconds: a number, or a date. */
function seconds(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** Codes of errors that do not pass by themselves. */
const lasting: Readonly<Record<string, string>> = {
  ENOTFOUND: 'nobody knows where it is, or there is no network',
  EAI_AGAIN: 'addresses cannot be looked up, perhaps for want of a network',
  ECONNREFUSED: 'nothing answers at that address',
  ENETUNREACH: 'there is no network',
  EHOSTUNREACH: 'there is no way to that host',
};

/**
 * A connection that could not be made, or broke, as an error of ours; whatever else it is, as it is.
 *
 * @param signal whose abort is not the connection's fault.
 */
export function disconnected(error: unknown, url: URL, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (!(error instanceof Error)) return error;
  const cause = innermost(error);
  const code = 'code' in cause ? String(cause.code) : '';
  const known = lasting[code];
  if (known) return new Unreachable(`${url.host} cannot be reached: ${known} (${code}).`, 0, { cause: error });
  if (/^(CERT_|CRL_|DEPTH_|HOSTNAME_|INVALID_|PATH_|SELF_|UNABLE_|ERR_TLS_)/.test(code)) {
    return new Unreachable(`${url.host} cannot be trusted: ${cause.message} (${code}).`, 0, { cause: error });
  }
  if (code === 'EPROTO' || /^ERR_(SSL|OSSL)_/.test(code)) {
    return new Unreachable(`${url.host} does not speak https as it should (${code}).`, 0, { cause: error });
  }
  const status = /^Proxy response \((\d+)\)/.exec(cause.message)?.[1];
  if (status !== undefined) return proxyRefusal(Number(status), url, error);
  if (/^(E[A-Z]+|UND_ERR_\w+|HPE_\w+)$/.test(code)) {
    return new Interrupted(`The connection to ${url.host} broke: ${cause.message} (${code}).`, 0, undefined, {
      cause: error,
    });
  }
  return error;
}

/** A proxy's answer to CONNECT that is not 200. */
function proxyRefusal(status: number, url: URL, cause: Error): Unreachable {
  const text = `The proxy answers ${status} when it is asked for ${url.host}`;
  if (status >= 500) return new Interrupted(`${text}.`, 0, undefined, { cause });
  return new Unreachable(`${text}: check HTTP_PROXY and HTTPS_PROXY.`, 0, { cause });
}

function innermost(error: Error): Error {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return innermost(error.errors[0]);
  return error.cause instanceof Error ? innermost(error.cause) : error;
}
