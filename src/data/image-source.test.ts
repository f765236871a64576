/** Images as they may be given; those behind a URL come from a server on the loopback that does as it is asked. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Image } from '#platform/images';
import { FormatError } from '../errors.ts';
import { maxImageBytes, readCapped } from './fetch.ts';
import { decode, readImage, sizeOfSample } from './image-source.ts';

const url = new URL('../../examples/images/unseen/frog-1.jpg', import.meta.url);
const file = readFileSync(url);

const answers: Readonly<Record<string, RequestListener>> = {
  '/frog.jpg': (_, response) => void response.end(file),
  '/moved': (_, response) => void response.writeHead(302, { location: '/frog.jpg' }).end(),
  '/text': (_, response) => void response.writeHead(200, { 'content-type': 'image/jpeg' }).end('no image'),
  '/cut': (_, response) => {
    response.writeHead(200, { 'content-length': file.length });
    response.write(file.subarray(0, 100), () => response.destroy());
  },
  '/endless': (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(2 ** 20))) {}
    };
    response.on('drain', more);
    more();
  },
};

const server = createServer((request, response) => {
  const answer = answers[request.url ?? ''];
  if (answer) answer(request, response);
  else response.writeHead(404).end();
});
let base: string;
let expected: Image;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expected = await decode(file);
});
afterAll(() => void server.closeAllConnections());
afterAll(() => void server.close());

it('is a path, a URL of four kinds, bytes, a Blob or pixels', async () => {
  const data = `data:image/jpeg;base64,${file.toString('base64')}`;
  const given = [fileURLToPath(url), url.href, data, `${base}/frog.jpg`, `${base}/moved`, file, new Blob([file])];
  for (const image of given) expect(await readImage(image)).toEqual(expected);
  expect(await readImage(expected)).toBe(expected);
});

it('has its size in the header, which is all that is decoded for it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'resnext-size-'));
  const write = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const cut = write('cut.jpg', file.subarray(0, file.length / 2));
  expect(await sizeOfSample({ path: cut, label: 0 }, 100)).toEqual([expected.width, expected.height]);
  await expect(decode(cut)).rejects.toThrow(FormatError);
  const blank = sharp({ create: { width: 6, height: 4, channels: 3, background: 'red' } });
  const turned = write('turned.tif', await blank.withMetadata({ orientation: 6 }).tiff().toBuffer());
  const { width, height } = await decode(turned);
  expect([width, height]).toEqual([4, 6]);
  expect(await sizeOfSample({ path: turned, label: 0 }, 100)).toEqual([4, 6]);
  rmSync(folder, { recursive: true });
});

it('makes RGB of grayscale pixels, as of grayscale files', async () => {
  const image: Image = { width: 2, height: 1, channels: 1, data: Uint8Array.of(7, 250) };
  expect(await readImage(image)).toEqual({ ...image, channels: 3, data: Uint8Array.of(7, 7, 7, 250, 250, 250) });
});

it.each([
  [8, 3, 'has 8 bytes for 2 × 1 pixels of 3 channels, but expected'], // a canvas's RGBA
  [8, 4, 'has 8 bytes for 2 × 1 pixels of 4 channels, but expected'],
  [0, 3, 'has 0 bytes for 2 × 1 pixels of 3 channels, but expected'],
])('refuses pixels of %i bytes as %i channels', async (bytes, channels, message) => {
  const image = { width: 2, height: 1, channels: channels as 3, data: new Uint8Array(bytes) };
  await expect(readImage(image, 'canvas')).rejects.toThrow(`Image "canvas" ${message}`);
  await expect(readImage(image)).rejects.toBeInstanceOf(FormatError);
});

it.each([
  ['/missing', /^Image "http:.*\/missing" cannot be fetched: the server responded 404 Not Found\.$/],
  ['/text', /^Image "http:.*\/text" cannot be read: its format is not supported, or it is damaged; /],
  ['/cut', /^Image "http:.*\/cut" cannot be fetched: .+\.$/],
  ['/endless', /^Image "http:.*\/endless" is larger than 64 MiB\. Make it smaller\.$/],
])('refuses %s', async (path, message) => {
  const refused = readImage(`${base}${path}`);
  await expect(refused).rejects.toThrow(FormatError);
  await expect(refused).rejects.toThrow(message);
});

it.each([
  ['a port nobody listens at', 'http://127.0.0.1:9/a.jpg', /a\.jpg" cannot be fetched: .+\.$/],
  ['no address', 'http://', /^Image "http:\/\/" cannot be fetched: Invalid URL\.$/],
  ['a file that is not there', 'file:///nowhere/a.jpg', /^There is no image "file:\/\/\/nowhere\/a\.jpg"\.$/],
  [
    'a file of another machine',
    'file://elsewhere/a.jpg',
    /^"file:.*" is not a file on this machine\. Expected a URL like file:/,
  ],
  ['data that is none', `data:image/png;base64,${'A'.repeat(100)}`, /^Image "data:image\/png;base64,A{25}…" cannot/],
])('refuses %s', async (_, address, message) => {
  await expect(readImage(address)).rejects.toThrow(message);
});

it('a stream is read up to a size, and its end is waited for', async () => {
  expect(await readCapped([Uint8Array.of(1), Uint8Array.of(2, 3)], 'a')).toEqual(Uint8Array.of(1, 2, 3));
  const half = new Uint8Array(maxImageBytes / 2);
  expect((await readCapped([half, half], 'a')).length).toBe(maxImageBytes);
  await expect(readCapped([half, half, Uint8Array.of(1)], 'standard input')).rejects.toThrow(
    'Image "standard input" is larger than 64 MiB',
  );
});
