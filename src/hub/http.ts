/**
 * HTTP requests for files. Redirects are followed here so that the hub's token is only sent to the hub. Failed requests
 * and broken connections become errors that tell whether a retry can help.
 */
import type { Dispatcher, request } from 'undici';
import { UsageError } from '../errors.ts';
import type { HubEnvironment } from './environment.ts';

/** The file cannot be fetched from this server: no connection, no such file, no permission. Another one may have it. */
export class Unreachable extends UsageError {
  /** The server's status code, or 0 without a response. */
  readonly status: number;

  constructor(message: string, status = 0, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** A temporary failure that a retry may fix: a broken connection or a busy server. */
export class Interrupted extends Unreachable {
  /** Seconds to wait, if the server says. */
  readonly retryAfter: number | undefined;

  constructor(message: string, status = 0, retryAfter?: number, options?: ErrorOptions) {
    super(message, status, options);
    this.retryAfter = retryAfter;
  }
}

/** The server sends nothing, or next to nothing. A retry rarely helps, and takes as long again. */
export class Stalled extends Interrupted {}

/** A response's bytes, to be read once. */
export interface Body extends AsyncIterable<Uint8Array> {
  /** Drops the bytes, so that the connection can be used again, or closes it if there are many. */
  dump(): Promise<void>;
  /** Closes the connection. */
  destroy(): unknown;
}

export interface FileResponse {
  readonly status: number;
  /** The final URL, after redirects. */
  readonly url: URL;
  readonly header: (name: string) => string | undefined;
  readonly body: Body;
}

export interface FileRequest {
  readonly url: string;
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** Return the first redirect away from the hub instead of following it. */
  readonly stayOnHub?: boolean;
  readonly signal?: AbortSignal | undefined;
}

const maxRedirects = 10;

/** Hosts that mirrors redirect to for files they do not have. */
const hubHosts = ['huggingface.co', 'hf.co'];

/** undici and its connections, loaded on the first request. */
interface Network {
  readonly request: typeof request;
  readonly dispatcher: Dispatcher;
}

/** Makes requests over connections that stay open until `close`. */
export class Client {
  readonly #environment: HubEnvironment;
  #network: Promise<Network> | undefined;
  readonly #timeout: number;

  /**
   * @param timeout seconds until the response's headers, including redirects and the connection to a proxy, and between
   *   two pieces of its body.
   */
  constructor(environment: HubEnvironment, timeout: number) {
    this.#environment = environment;
    this.#timeout = timeout;
  }

  async close(): Promise<void> {
    await (await this.#network)?.dispatcher.destroy();
  }

  async #open(): Promise<Network> {
    const { EnvHttpProxyAgent, request } = await import('undici');
    const { http, https, except } = this.#environment.proxies;
    const proxies = { httpProxy: http, httpsProxy: https, noProxy: except };
    return { request, dispatcher: new EnvHttpProxyAgent({ ...proxies, bodyTimeout: 1000 * this.#timeout }) };
  }

  /**
   * Sends a request and follows redirects. The status of the response is 200 or 206, 416 (range not satisfiable), or,
   * with `stayOnHub`, that of a redirect.
   *
   * @throws Interrupted if a retry may help, Unreachable if it will not.
   */
  async request(asked: FileRequest): Promise<FileResponse> {
    const timeout = new AbortController();
    const limit = setTimeout(() => timeout.abort(), 1000 * this.#timeout);
    try {
      return await this.#follow(asked, timeout.signal);
    } finally {
      clearTimeout(limit);
    }
  }

  async #follow(asked: FileRequest, timeout: AbortSignal): Promise<FileResponse> {
    let url = new URL(asked.url);
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      const response = await this.#send(url, asked, timeout);
      const location = response.status >= 300 && response.status < 400 ? response.header('location') : undefined;
      if (location === undefined) return checkStatus(response);
      const next = redirectTarget(url, location);
      if (asked.stayOnHub && next.host !== url.host && !hubHosts.includes(next.host)) return response;
      discard(response);
      url = next;
    }
    throw new Unreachable(`${asked.url} redirects more than ${maxRedirects} times.`);
  }

  async #send(url: URL, { method = 'GET', headers, signal }: FileRequest, timeout: AbortSignal): Promise<FileResponse> {
    const { endpoint, token } = this.#environment;
    const authorization = token && url.origin === new URL(endpoint).origin ? { authorization: `Bearer ${token}` } : {};
    const all = { 'user-agent': 'resnext', 'accept-encoding': 'identity', ...headers, ...authorization };
    this.#network ??= this.#open();
    const { request, dispatcher } = await this.#network;
    const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
    try {
      const options = { method, headers: all, dispatcher, signal: either };
      const { statusCode, headers: found, body } = await Promise.race([request(url, options), aborted(either)]);
      body.on('error', () => {}); // readers of the body still get the error; an unread body may fail silently
      const header = (name: string) => {
        const value = found[name];
        return Array.isArray(value) ? value[0] : value;
      };
      return { status: statusCode, url, header, body };
    } catch (error) {
      if (timeout.aborted && !signal?.aborted) {
        throw new Stalled(`${url.host} did not respond within ${this.#timeout} seconds.`);
      }
      throw connectionError(error, url, signal);
    }
  }
}

/** Drops a response's body. */
export function discard({ body }: FileResponse): void {
  body.dump().catch(() => {}); // an unread body may fail silently
}

/** Rejects when the signal aborts, which undici does not do while it waits for a proxy's tunnel. */
const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });

/**
 * The target of a redirect.
 *
 * @throws Unreachable if the target is not a URL, or leads from https to anything else.
 */
export function redirectTarget(from: URL, location: string): URL {
  if (!URL.canParse(location, from))
    throw new Unreachable(`${from.host} redirects to "${location}", which is not a URL.`);
  const to = new URL(location, from);
  const weaker = from.protocol === 'https:' && to.protocol !== 'https:';
  if (weaker || !/^https?:$/.test(to.protocol)) {
    throw new Unreachable(`${from.host} redirects to ${to.protocol}//${to.host}, which is not secure.`);
  }
  return to;
}

function checkStatus(response: FileResponse): FileResponse {
  const { status, url, header } = response;
  if (status === 200 || status === 206 || status === 416) return response;
  discard(response);
  const text = `${url.host} responded ${status} to ${url.pathname}`;
  if (status === 429 || status === 408 || status >= 500) {
    throw new Interrupted(
      `${text}: ${reasons[status] ?? 'the server has a problem'}.`,
      status,
      seconds(header('retry-after')),
    );
  }
  throw new Unreachable(`${text}: ${reasons[status] ?? 'the request was refused'}.`, status);
}

const reasons: Readonly<Record<number, string>> = {
  401: 'it requires authentication; check the name, and set HF_TOKEN to your token',
  403: 'access is denied; accept the terms on its page, or set HF_TOKEN to a token with read access',
  404: 'there is no such file',
  429: 'too many requests',
};

/** Retry-After in seconds: a number, or a date. */
function seconds(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** Error codes of permanent failures. */
const permanent: Readonly<Record<string, string>> = {
  ENOTFOUND: 'unknown host or no network',
  EAI_AGAIN: 'the host name was not resolved; perhaps there is no network',
  ECONNREFUSED: 'connection refused',
  ENETUNREACH: 'no network',
  EHOSTUNREACH: 'no route to the host',
};

/**
 * Turns the error of a connection that failed or broke into one of this package's. Other errors are returned unchanged.
 *
 * @param signal if aborted, its reason is returned instead.
 */
export function connectionError(error: unknown, url: URL, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (!(error instanceof Error)) return error;
  const cause = innermost(error);
  const code = 'code' in cause ? String(cause.code) : '';
  const known = permanent[code];
  if (known) return new Unreachable(`${url.host} cannot be reached (${known}, ${code}).`, 0, { cause: error });
  if (/^(CERT_|CRL_|DEPTH_|HOSTNAME_|INVALID_|PATH_|SELF_|UNABLE_|ERR_TLS_)/.test(code)) {
    return new Unreachable(`${url.host} cannot be trusted: ${cause.message} (${code}).`, 0, { cause: error });
  }
  if (code === 'EPROTO' || /^ERR_(SSL|OSSL)_/.test(code)) {
    return new Unreachable(`${url.host} does not support https correctly (${code}).`, 0, { cause: error });
  }
  if (cause.name === 'HTTPParserError' && code !== 'HPE_INVALID_EOF_STATE') {
    return new Unreachable(`${url.host} does not speak HTTP.`, 0, { cause: error });
  }
  if (code === 'UND_ERR_HEADERS_OVERFLOW') {
    return new Unreachable(`${url.host} sends more headers than a response may have.`, 0, { cause: error });
  }
  if (/^UND_ERR_(CONNECT|BODY|HEADERS)_TIMEOUT$/.test(code)) {
    return new Stalled(`${url.host} stopped responding (${code}).`, 0, undefined, { cause: error });
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

/** The error for a proxy's response to CONNECT other than 200. */
function proxyRefusal(status: number, url: URL, cause: Error): Unreachable {
  const text = `The proxy responded ${status} to a request for ${url.host}`;
  if (status >= 500) return new Interrupted(`${text}.`, 0, undefined, { cause });
  return new Unreachable(`${text}: check HTTP_PROXY and HTTPS_PROXY.`, 0, { cause });
}

function innermost(error: Error): Error {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return innermost(error.errors[0]);
  return error.cause instanceof Error ? innermost(error.cause) : error;
}
