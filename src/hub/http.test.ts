/** Which redirects are followed, and how connection errors are reported. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { hubEnvironment } from './environment.ts';
import { Client, connectionError, Interrupted, redirectTarget, Unreachable } from './http.ts';

const url = new URL('https://hub.example/a/file');

it('follows redirects to https, and to http only from http', () => {
  expect(redirectTarget(url, '../b').href).toBe('https://hub.example/b');
  expect(redirectTarget(url, 'https://store.example/x').host).toBe('store.example');
  expect(redirectTarget(new URL('http://localhost/a'), 'http://localhost:81/b').port).toBe('81');
  expect(() => redirectTarget(url, 'http://store.example/x')).toThrow(
    'redirects to http://store.example, which is not secure',
  );
  expect(() => redirectTarget(url, 'https://[')).toThrow('redirects to "https://[", which is not a URL.');
});

it('distinguishes temporary from permanent failures', () => {
  const coded = (code: string) => new Error('failed', { cause: Object.assign(new Error('inside'), { code }) });
  expect(connectionError(coded('ECONNRESET'), url)).toBeInstanceOf(Interrupted);
  expect(connectionError(coded('UND_ERR_SOCKET'), url)).toBeInstanceOf(Interrupted);
  for (const code of ['ENOTFOUND', 'SELF_SIGNED_CERT_IN_CHAIN', 'HOSTNAME_MISMATCH', 'ERR_SSL_WRONG_VERSION_NUMBER']) {
    const found = connectionError(coded(code), url);
    expect(found).toBeInstanceOf(Unreachable);
    expect(found).not.toBeInstanceOf(Interrupted);
  }
  const defect = new TypeError('ours');
  expect(connectionError(defect, url)).toBe(defect);
  expect(connectionError(coded('ECONNRESET'), url, AbortSignal.abort('stopped'))).toBe('stopped');
});

it.each([
  [407, Unreachable, /^The proxy responded 407 to a request for hub\.example: check HTTP_PROXY and HTTPS_PROXY\.$/],
  [503, Interrupted, /^The proxy responded 503 to a request for hub\.example\.$/],
  [undefined, Interrupted, /^hub\.example did not respond within 0\.1 seconds\.$/],
])('reports that a proxy responded %s', async (status, kind, message) => {
  const sockets: Duplex[] = [];
  const server = createServer().on('connect', (_, socket) => {
    sockets.push(socket.on('error', () => {}));
    if (status) socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new Client(hubEnvironment({ HTTPS_PROXY: proxy }), status ? 30 : 0.1);
  const error = await client.request({ url: url.href }).catch((reason: unknown) => reason);
  await client.close();
  for (const socket of sockets) socket.destroy();
  server.close();
  expect(error).toBeInstanceOf(kind);
  expect(String((error as Error).message)).toMatch(message);
  expect(error instanceof Interrupted).toBe(kind === Interrupted);
});
