/** Images in Chromium: decoded and transformed to what they become in Node, without worker threads. */
import { readFileSync } from 'node:fs';
import { evaluationTransforms, imagenetPreprocessing, Loader } from 'resnext/data';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadPackage, noChromium, type Pages, packagePages, withPage } from './chromium.ts';

type Package = typeof import('resnext/data');

if (noChromium) console.log(noChromium);

const transforms = evaluationTransforms({ ...imagenetPreprocessing, size: 24, resize: 28 }, 'flip');
let files: Map<string, Uint8Array>;
let scripts: Pages;

const golden = JSON.parse(readFileSync(new URL('../src/data/golden/formats.json', import.meta.url), 'utf8')) as {
  decode: { name: string; file: string }[];
};
const ours = ['gif with a transparent color', 'bmp rle8 0', 'ppm'];
const goldenFile = (i: number): Uint8Array =>
  Buffer.from(golden.decode.find(({ name }) => name === ours[i])!.file, 'base64');

beforeAll(async () => {
  const noise = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => Math.imul(i + 1, 40503) >> 8);
  const png = await sharp(noise, { raw: { width: 40, height: 30, channels: 3 } })
    .png()
    .toBuffer();
  files = new Map<string, Uint8Array>([
    ['/frog.jpg', readFileSync(new URL('../examples/images/unseen/frog-1.jpg', import.meta.url))],
    ['/noise.png', png],
    ['/broken.png', png.subarray(0, 40)],
    ...['logo.gif', 'mask.bmp', 'map.ppm'].map((name, i): [string, Uint8Array] => [`/${name}`, goldenFile(i)]),
  ]);
  scripts = await packagePages();
});

const pages: Pages = (path) => {
  const bytes = files.get(path);
  return bytes ? ['application/octet-stream', bytes] : scripts(path);
};

/** Runs in the page, so it uses nothing from outside. */
async function inPage([names, transforms]: [string[], Parameters<Package['applyTransforms']>[0]]) {
  const { Loader } = (globalThis as unknown as { resnext: Package }).resnext;
  const kinds = [
    async (url: string) => url,
    async (url: string) => (await fetch(url)).blob(),
    async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer()),
  ];
  const samples = names.map((name, i) => {
    return { name, image: () => kinds[i % kinds.length]!(name) };
  });
  const failures: string[] = [];
  const batches: { indices: number[]; images: number[] }[] = [];
  const loader = new Loader({ cache: 0 });
  const onCorrupt = (name: string, message: string) => failures.push(`${name}: ${message}`);
  for await (const { indices, images } of loader.batches({ samples, transforms, batchSize: 2, onCorrupt })) {
    batches.push({ indices: [...indices], images: [...images] });
  }
  await loader.close();
  return { failures, batches };
}

describe.skipIf(noChromium)('in Chromium', () => {
  test('a loader makes of URLs, Blobs and bytes what it makes of them in Node', async () => {
    const names = ['/frog.jpg', '/frog.jpg', '/broken.png', '/frog.jpg', '/noise.png', '/noise.png'];
    names.push('/logo.gif', '/mask.bmp', '/map.ppm');
    const seen = await withPage(pages, async (page) => {
      await loadPackage(page);
      return page.evaluate(inPage, [names, [...transforms]] as [string[], typeof transforms]);
    });
    const samples = names.map((name) => ({ name, image: files.get(name)! }));
    const expected: typeof seen.batches = [];
    const loader = new Loader({ workers: 0, cache: 0 });
    for await (const { indices, images } of loader.batches({ samples, transforms, batchSize: 2 })) {
      expected.push({ indices: [...indices], images: [...images] });
    }
    expect(seen.batches).toEqual(expected);
    expect(seen.failures).toEqual([expect.stringMatching(/^\/broken\.png: Image "\/broken\.png" cannot be read: .+/)]);
  });

  test('what is not there, and a path to decode, are refused', async () => {
    const refusals = await withPage(
      pages,
      async (page) => {
        await loadPackage(page);
        return page.evaluate(async () => {
          const { decode, readImage } = (globalThis as unknown as { resnext: Package }).resnext;
          return [await readImage('/none.jpg').catch(String), await decode('rose.jpg').catch(String)];
        });
      },
      { provoked: /404/ },
    );
    expect(refusals).toEqual([
      'FormatError: Image "/none.jpg" cannot be fetched: the server responded 404 Not Found.',
      'UsageError: A page cannot read the file "rose.jpg". Pass its bytes, or its URL to readImage.',
    ]);
  });

  test('a URL may be relative to the page', async () => {
    const sizes = await withPage(pages, async (page) => {
      await loadPackage(page);
      return page.evaluate(async () => {
        const { readImage } = (globalThis as unknown as { resnext: Package }).resnext;
        const images = [await readImage('/noise.png'), await readImage('noise.png')];
        return images.map(({ width, height }) => [width, height]);
      });
    });
    expect(sizes).toEqual([
      [40, 30],
      [40, 30],
    ]);
  });
});
