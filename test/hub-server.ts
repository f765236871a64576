/**
 * Local servers for tests of downloads: one that records requests and responds as the test says, one that behaves like
 * the Hugging Face hub with its storage on another port, and a proxy.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Served {
  readonly url: string;
  readonly requests: { readonly method: string; readonly url: string; readonly headers: IncomingMessage['headers'] }[];
  close(): void;
}

export async function serve(handler: Handler): Promise<Served> {
  const requests: Served['requests'] = [];
  const server = createServer((request, response) => {
    requests.push({ method: request.method!, url: request.url!, headers: request.headers });
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close };
}

/** Sends bytes and supports ranges, as a well-behaved server does. */
export function send(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array, etag = '"v1"'): void {
  const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
  const same = (request.headers['if-range'] ?? etag) === etag;
  const start = first && same ? Number(first) : 0;
  if (start >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  const range = start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {};
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': bytes.length - start, etag, ...range });
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start));
}

export interface Halves {
  /** Sends only the first half of the promised bytes. */
  readonly answer: Handler;
  /** Breaks the connection once that half has arrived. */
  readonly onProgress: (progress: { readonly done: number }) => void;
}

/** A connection that breaks halfway. */
export function breakAtHalf(bytes: Uint8Array): Halves {
  const half = bytes.length / 2;
  let open: ServerResponse | undefined;
  return {
    answer: (_, response) => {
      open = response;
      response.writeHead(200, { 'content-length': bytes.length, etag: '"v1"' });
      response.write(bytes.subarray(0, half));
    },
    onProgress: ({ done }) => {
      if (done === half) open?.destroy();
    },
  };
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const gitHash = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

export const commit = '0123456789abcdef0123456789abcdef01234567';

export interface FakeHub {
  readonly hub: Served;
  /** The storage server for the hub's large files. */
  readonly store: Served;
  /** Handlers for the next requests for large files, in order; after these, the server behaves. */
  readonly answers: Handler[];
  close(): void;
}

/** A hub where every repository has a weights file and optionally a config.json. */
export async function serveHub(
  weights: Uint8Array,
  config?: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<FakeHub> {
  const answers: Handler[] = [];
  const store = await serve((request, response) => {
    const answer = answers.shift() ?? ((q, a) => send(q, a, weights, '"store"'));
    answer(request, response);
  });
  const linked = { 'x-linked-etag': `"${sha256(weights)}"`, 'x-linked-size': String(weights.length) };
  const hub = await serve((request, response) => {
    const file = request.url!.split('/').at(-1);
    if (file === 'model.safetensors') {
      response.writeHead(302, { location: `${store.url}/bytes`, 'x-repo-commit': commit, ...linked, ...headers }).end();
    } else if (file === 'config.json' && config) {
      response.setHeader('x-repo-commit', commit);
      send(request, response, config, `"${gitHash(config)}"`);
    } else response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end('no such entry');
  });
  const close = () => {
    hub.close();
    store.close();
  };
  return { hub, store, answers, close };
}

/** A hub with one repository, which has these files: JSON in git, all others as large files. */
export const serveFiles = (files: Readonly<Record<string, Uint8Array>>): Promise<Served> =>
  serve((request, response) => {
    if (/^\/api\/datasets\/[^/]+\/[^/]+\/revision\/[^/]+$/.test(request.url!)) {
      response.end(JSON.stringify({ sha: commit, siblings: Object.keys(files).map((rfilename) => ({ rfilename })) }));
      return;
    }
    const [, name = ''] = /\/resolve\/[^/]+\/(.*)$/.exec(request.url!) ?? [];
    const bytes = files[name];
    if (!bytes) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('x-repo-commit', commit);
    send(request, response, bytes, `"${name.endsWith('.json') ? gitHash(bytes) : sha256(bytes)}"`);
  });

export interface Proxy {
  readonly url: string;
  /** Hosts and ports of the requested tunnels. */
  readonly tunnels: string[];
  close(): void;
}

/** A proxy that opens any tunnel. */
export async function serveProxy(): Promise<Proxy> {
  const tunnels: string[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer((_, response) => response.writeHead(400).end());
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    tunnels.push(request.url!);
    const [host, port] = request.url!.split(':');
    const target = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    for (const socket of [client, target]) sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, tunnels, close };
}
