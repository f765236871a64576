/** Which redirects are followed, and what becomes of errors of connections. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { hubEnvironment } from './environment.ts';
import { Client, disconnected, Interrupted, redirected, Unreachable } from './http.ts';

const url = new URL('https://hub.example/a/file');

it('follows redirects to https, and to http only from http', () => {
  expect(redirected(url, '../b').href).toBe('https://hub.example/b');
  expect(redirected(url, 'https://store.example/x').host).toBe('store.example');
  expect(redirected(new URL('http://localhost/a'), 'http://localhost:81/b').port).toBe('81');
  expect(() => redirected(url, 'http://store.example/x')).toThrow(
    'redirects to http://store.example, which is not safe',
  );
  expect(() => redirected(url, 'https://[')).toThrow('redirects to "https://[", no address.');
});

it('tells what passes from what lasts', () => {
  const coded = (code: string) => new Error('failed', { cause: Object.assign(new Error('inside'), { code }) });
  expect(disconnected(coded('ECONNRESET'), url)).toBeInstanceOf(Interrupted);
  expect(disconnected(coded('UND_ERR_SOCKET'), url)).toBeInstanceOf(Interrupted);
  for (const code of ['ENOTFOUND', 'SELF_SIGNED_CERT_IN_CHAIN', 'HOSTNAME_MISMATCH', 'ERR_SSL_WRONG_VERSION_NUMBER']) {
    const found = disconnected(coded(code), url);
    expect(found).toBeInstanceOf(Unreachable);
    expect(found).not.toBeInstanceOf(Interrupted);
  }
  const defect = new TypeError('ours');
  expect(disconnected(defect, url)).toBe(defect);
  expect(disconnected(coded('ECONNRESET'), url, AbortSignal.abort('stopped'))).toBe('stopped');
});

it.each([
  [407, Unreachable, /^The proxy answers 407 when it is asked for hub\.example: check HTTP_PROXY and HTTPS_PROXY\.$/],
  [503, Interrupted, /^The proxy answers 503 when it is asked for hub\.example\.$/],
  [undefined, Interrupted, /^hub\.example does not answer within 0\.1 seconds\.$/],
])('says so when a proxy answers %s', async (status, kind, message) => {
  const sockets: Duplex[] = [];
  const server = createServer().on('connect', (_, socket) => {
    sockets.push(socket.on('error', () => {}));
    if (status) socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new Client(hubEnvironment({ HTTPS_PROXY: proxy }), status ? 60_000 : 100);
  const error = await client.ask({ url: url.href }).catch((reason: unknown) => reason);
  await client.close();
  for (const socket of sockets) socket.destroy();
  server.close();
  expect(error).toBeInstanceOf(kind);
  expect(String((error as Error).message)).toMatch(message);
  expect(error instanceof Interrupted).toBe(kind === Interrupted);
});
