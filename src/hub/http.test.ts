/** Which redirects are followed, and what becomes of errors of connections. */
import { expect, it } from 'vitest';
import { disconnected, Interrupted, redirected, Unreachable } from './http.ts';

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
  for (const code of ['ENOTFOUND', 'SELF_SIGNED_CERT_IN_CHAIN']) {
    const found = disconnected(coded(code), url);
    expect(found).toBeInstanceOf(Unreachable);
    expect(found).not.toBeInstanceOf(Interrupted);
  }
  const defect = new TypeError('ours');
  expect(disconnected(defect, url)).toBe(defect);
  expect(disconnected(coded('ECONNRESET'), url, AbortSignal.abort('stopped'))).toBe('stopped');
});
