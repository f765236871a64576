/** Which files are images, by extension or first bytes, and how the others are reported. */

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decodeImage } from '#platform/images';
import { openClasses, openFolder } from './folder.ts';
import { describeSkipped, isImage, listFolder } from './listing.ts';
import { expandSources } from './sources.ts';

const image = sharp({ create: { width: 32, height: 32, channels: 3, background: 'red' } });
const encoded = new Map<string, Buffer>();
beforeAll(async () => {
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const) {
    encoded.set(format, await image.clone().toFormat(format).toBuffer());
  }
});

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-listing-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(path: string, bytes: Uint8Array | string = ''): string {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), bytes);
  return join(dir, path);
}

const bmp = 'BM\x36\0\0\0';
const heic = '\0\0\0\x18ftypheic\0\0\0\0mif1heic';
const found = async () => (await listFolder(dir)).paths.map((path) => relative(dir, path).replaceAll('\\', '/'));

describe('a file is an image', () => {
  it.each(['jpg', 'JPEG', 'jpe', 'jfif', 'pjpeg', 'pjp', 'png', 'webp', 'gif', 'tif', 'tiff', 'avif'])(
    'by the extension .%s, without a look into it',
    (extension) => expect(isImage(join(dir, `absent.${extension}`))).toBe(true),
  );

  it.each(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'])(
    'by the bytes of %s, which can be decoded',
    async (format) => {
      const bytes = encoded.get(format)!;
      expect(isImage(write('without-extension', bytes))).toBe(true);
      expect(isImage(write('named.bmp', bytes))).toBe(format !== 'tiff');
      await expect(decodeImage(bytes, format)).resolves.toMatchObject({ width: 32, height: 32 });
    },
  );

  it('not by other bytes, such as those of raw files that begin like TIFF', () => {
    const others = {
      'a.bmp': bmp,
      'a.heic': heic,
      'a.nef': encoded.get('tiff')!,
      'a.svg': '<svg/>',
      empty: '',
      a: 'RI',
    };
    for (const [name, bytes] of Object.entries(others)) expect(isImage(write(name, bytes)), name).toBe(false);
    expect(isImage(join(dir, 'absent'))).toBe(false);
  });

  it('not if its extension is one that lies beside images, which is not opened', () => {
    expect(isImage(write('a.json', encoded.get('png')!))).toBe(false);
  });

  it.skipIf(process.platform === 'win32')('not if it is a FIFO, or cannot be opened', () => {
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    expect(isImage(join(dir, 'pipe'))).toBe(false);
    chmodSync(write('closed', ''), 0);
    expect(isImage(join(dir, 'closed'))).toBe(false);
  });
});

describe('files that are skipped', () => {
  it('are counted by extension in one sentence', async () => {
    for (const name of ['a.bmp', 'b.BMP', 'sub/c.bmp']) write(name, bmp);
    write('d.heic', heic);
    write('README', 'text');
    write('labels.csv', 'text');
    write('x.\u001b[31m', 'text');
    write('e.jfif');
    expect(describeSkipped([await listFolder(dir)])).toEqual([
      'Skipped 6 files that are not JPEG, PNG, WebP, GIF, TIFF or AVIF: 3 .bmp, 1 without extension, 1 .heic, 1 other.',
    ]);
  });

  it('are one, none, or of many kinds', async () => {
    expect(describeSkipped([await listFolder(dir)])).toEqual([]);
    write('a.bmp');
    expect(describeSkipped([await listFolder(dir)])).toEqual([
      'Skipped 1 file that is not JPEG, PNG, WebP, GIF, TIFF or AVIF: 1 .bmp.',
    ]);
    for (let i = 0; i < 10; i++) write(`a.x${i}`);
    expect(describeSkipped([await listFolder(dir)])[0]).toMatch(/^Skipped 11 files .*, 3 others\.$/);
  });

  it('are in the notes of a dataset, and of images to classify', async () => {
    for (const path of ['train/a/1.jpg', 'train/b/1.jfif', 'val/b/1.jpe', 'train/1.jpg']) write(path);
    for (const path of ['train/a/2.bmp', 'val/b/2.bmp', 'val/b/3.heic']) write(path, bmp);
    const kinds = (count: number, list: string) =>
      `Skipped ${count} files that are not JPEG, PNG, WebP, GIF, TIFF or AVIF: ${list}.`;
    expect((await openFolder(dir)).notes).toEqual([
      `Skipped 1 image directly in "${join(dir, 'train')}", outside of the class folders.`,
      kinds(3, '2 .bmp, 1 .heic'),
    ]);
    expect((await openClasses(dir, ['a', 'b'])).notes).toEqual([kinds(2, '1 .bmp, 1 .heic')]);
    const all = await expandSources([dir, join(dir, 'val/b/*'), join(dir, 'train/a/1.jpg')]);
    expect(all.sources).toHaveLength(6);
    expect(all.notes).toEqual([kinds(5, '3 .bmp, 2 .heic')]);
  });
});

describe('folders that systems add', () => {
  it.each(['@eaDir', '__MACOSX', '#recycle', '$RECYCLE.BIN'])('as %s, are hidden', async (name) => {
    for (const path of ['1.jpg', `${name}/2.jpg`, `sub/${name}/1.jpg/3.jpg`, 'Thumbs.db']) write(path);
    expect(await found()).toEqual(['1.jpg']);
    expect(describeSkipped([await listFolder(dir)])).toEqual([]);
    expect((await expandSources([`${dir}/**`])).sources).toHaveLength(1);
  });

  it('are not classes', async () => {
    for (const path of ['a/1.jpg', 'b/1.jpg', '__MACOSX/a/._1.jpg', '@eaDir/x.jpg']) write(path);
    expect((await openFolder(dir)).classes).toEqual(['a', 'b']);
  });
});
