/** Fetching images by URL: which addresses are asked, and which never. */
import type { lookup } from 'node:dns';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchRemote, isPublic, type RemoteOptions } from './remote.ts';

let server: Server;
let port: number;
const asked: string[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.headers.host}${request.url}`);
    const to = /^\/to\/(.*)/.exec(request.url!)?.[1];
    if (to !== undefined) response.writeHead(302, { location: decodeURIComponent(to) }).end();
    else if (request.url === '/a.jpg') response.end('image');
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => void server.close());

/** A resolver that gives each name these addresses. */
const resolver = (addresses: Readonly<Record<string, readonly string[]>>) =>
  ((name: string, _: object, done: (error: Error | null, found: object[]) => void) => {
    done(
      null,
      (addresses[name] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  }) as unknown as typeof lookup;

const options = (changes: Partial<RemoteOptions> = {}): RemoteOptions => ({
  hosts: [`images.example:${port}`, `*.cdn.example:${port}`],
  signal: new AbortController().signal,
  onBytes: () => {},
  resolve: resolver({ 'images.example': ['127.0.0.1'], 'a.cdn.example': ['127.0.0.1'] }),
  isAllowed: (address) => address === '127.0.0.1', // as if it were public
  ...changes,
});

test.each([
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.31.255.255',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '64:ff9b::a00:1',
  '2001:db8::1',
  '2002:7f00:1::',
  'fc00::1',
  'fe80::1',
  'ff02::1',
  'no address',
])('%s is not public', (address) => {
  expect(isPublic(address)).toBe(false);
});

test.each(['1.1.1.1', '93.184.216.34', '172.32.0.1', '2606:4700::1111'])('%s is public', (address) => {
  expect(isPublic(address)).toBe(true);
});

test('an image at a listed host is fetched, also by redirects among listed hosts', async () => {
  const text = async (url: string) => new TextDecoder().decode(await fetchRemote(url, options()));
  expect(await text(`http://images.example:${port}/a.jpg`)).toBe('image');
  expect(await text(`http://A.CDN.example:${port}/a.jpg`)).toBe('image');
  const next = encodeURIComponent(`http://a.cdn.example:${port}/a.jpg`);
  expect(await text(`http://images.example:${port}/to/${next}`)).toBe('image');
  let bytes = 0;
  await fetchRemote(`http://images.example:${port}/a.jpg`, options({ onBytes: (count) => (bytes += count) }));
  expect(bytes).toBe(5);
});

test.each([
  'http://other.example/a.jpg',
  'http://images.example/a.jpg', // another port
  'http://cdn.example:PORT/a.jpg',
  'http://evil-cdn.example:PORT/a.jpg',
  'http://user:word@images.example:PORT/a.jpg',
  'ftp://images.example:PORT/a.jpg',
  'file:///etc/passwd',
])('%s is not asked', async (url) => {
  asked.length = 0;
  const refused = fetchRemote(url.replace('PORT', `${port}`), options());
  await expect(refused).rejects.toMatchObject({ status: 403, message: expect.stringMatching('may not be fetched') });
  expect(asked).toEqual([]);
});

test('a redirect to another host, or to an address of this machine, is not followed', async () => {
  for (const target of [`http://other.example:${port}/a.jpg`, `http://127.0.0.1:${port}/a.jpg`, 'file:///etc/passwd']) {
    const url = `http://images.example:${port}/to/${encodeURIComponent(target)}`;
    await expect(fetchRemote(url, options())).rejects.toMatchObject({ status: 403 });
  }
  const around = `http://images.example:${port}/to/%2Fto%2F%252Fto%252F%25252Fto%25252F%2525252Fa.jpg`;
  await expect(fetchRemote(around, options())).rejects.toThrow('it redirects more than 3 times');
});

test('a name that resolves to a private address is refused, whatever else it resolves to', async () => {
  const url = `http://images.example:${port}/a.jpg`;
  for (const addresses of [['127.0.0.1'], ['10.0.0.1'], ['::1'], ['93.184.216.34', '127.0.0.1'], []]) {
    asked.length = 0;
    const { isAllowed: _, ...usual } = options({ resolve: resolver({ 'images.example': addresses }) });
    await expect(fetchRemote(url, usual)).rejects.toMatchObject({ status: 403 });
    expect(asked).toEqual([]);
  }
});

test('a name that changes its address is asked at the one that was checked', async () => {
  let lookups = 0;
  const rebinding = ((_: string, __: object, done: (error: null, found: object[]) => void) => {
    done(null, [{ address: lookups++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }]);
  }) as unknown as typeof lookup;
  await fetchRemote(`http://images.example:${port}/a.jpg`, options({ resolve: rebinding }));
  expect(lookups).toBe(1);
});

test('what cannot be fetched says why', async () => {
  const missing = fetchRemote(`http://images.example:${port}/b.jpg`, options());
  await expect(missing).rejects.toThrow('/b.jpg" cannot be fetched: the server responded 404.');
  const large = fetchRemote(
    `http://images.example:${port}/a.jpg`,
    options({
      onBytes: () => {
        throw new Error('too large');
      },
    }),
  );
  await expect(large).rejects.toThrow('too large');
});
