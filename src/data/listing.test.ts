/** Which files are images, by extension or first bytes, and how the others are reported. */

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openClasses, openFolder } from './folder.ts';
import { decode } from './image-source.ts';
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

const psd = '8BPS';
const heic = '\0\0\0\x18ftypheic\0\0\0\0mif1heic';
const found = async () => (await listFolder(dir)).paths.map((path) => relative(dir, path).replaceAll('\\', '/'));

describe('a file is an image', () => {
  it.each([
    'jpg',
    'JPEG',
    'jpe',
    'jfif',
    'pjpeg',
    'pjp',
    'png',
    'webp',
    'gif',
    'tif',
    'tiff',
    'avif',
    'bmp',
    'PPM',
    'pam',
  ])('by the extension .%s, without a look into it', async (extension) =>
    expect(await isImage(join(dir, `absent.${extension}`))).toBe(true),
  );

  it.each(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'])(
    'by the bytes of %s, which can be decoded',
    async (format) => {
      const bytes = encoded.get(format)!;
      expect(await isImage(write('without-extension', bytes))).toBe(true);
      expect(await isImage(write('named.dat', bytes))).toBe(format !== 'tiff');
      await expect(decode(bytes, format)).resolves.toMatchObject({ width: 32, height: 32 });
    },
  );

  it('not by other bytes, such as those of raw files that begin like TIFF', async () => {
    const others = {
      'a.heic': heic,
      'a.nef': encoded.get('tiff')!,
      'a.svg': '<svg/>',
      empty: '',
      a: 'RI',
    };
    for (const [name, bytes] of Object.entries(others)) expect(await isImage(write(name, bytes)), name).toBe(false);
    expect(await isImage(join(dir, 'absent'))).toBe(false);
  });

  it('not if its extension is one that lies beside images, which is not opened', async () => {
    expect(await isImage(write('a.json', encoded.get('png')!))).toBe(false);
  });

  it.skipIf(process.platform === 'win32')('not if it is a FIFO, or cannot be opened', async () => {
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    expect(await isImage(join(dir, 'pipe'))).toBe(false);
    chmodSync(write('closed', ''), 0);
    expect(await isImage(join(dir, 'closed'))).toBe(false);
  });
});

describe('files that are skipped', () => {
  it('are counted by extension in one sentence', async () => {
    for (const name of ['a.psd', 'b.PSD', 'sub/c.psd']) write(name, psd);
    write('d.heic', heic);
    write('README', 'text');
    write('labels.csv', 'text');
    write('x.\u001b[31m', 'text');
    write('e.jfif');
    expect(describeSkipped([await listFolder(dir)])).toEqual([
      'Skipped 6 files that are not JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP or PNM: 3 .psd, 1 without extension, 1 .heic, 1 other.',
    ]);
  });

  it('are one, none, or of many kinds', async () => {
    expect(describeSkipped([await listFolder(dir)])).toEqual([]);
    write('a.psd');
    expect(describeSkipped([await listFolder(dir)])).toEqual([
      'Skipped 1 file that is not JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP or PNM: 1 .psd.',
    ]);
    for (let i = 0; i < 10; i++) write(`a.x${i}`);
    expect(describeSkipped([await listFolder(dir)])[0]).toMatch(/^Skipped 11 files .*, 3 others\.$/);
  });

  it('are in the notes of a dataset, and of images to classify', async () => {
    for (const path of ['train/a/1.jpg', 'train/b/1.jfif', 'val/b/1.jpe', 'train/1.jpg']) write(path);
    for (const path of ['train/a/2.psd', 'val/b/2.psd', 'val/b/3.heic']) write(path, psd);
    const kinds = (count: number, list: string) =>
      `Skipped ${count} files that are not JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP or PNM: ${list}.`;
    expect((await openFolder(dir)).notes).toEqual([
      `Skipped 1 image directly in "${join(dir, 'train')}", outside of the class folders.`,
      kinds(3, '2 .psd, 1 .heic'),
    ]);
    expect((await openClasses(dir, ['a', 'b'])).notes).toEqual([kinds(2, '1 .psd, 1 .heic')]);
    const all = await expandSources([dir, join(dir, 'val/b/*'), join(dir, 'train/a/1.jpg')]);
    expect(all.sources).toHaveLength(6);
    expect(all.notes).toEqual([kinds(5, '3 .psd, 2 .heic')]);
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

describe.skipIf(process.platform === 'win32')('links', () => {
  const link = (target: string, path: string) => symlinkSync(target, join(dir, path));

  it('that make 2^n paths and cycles lead to each image once, where it is if it is here', async () => {
    for (let i = 0; i < 40; i++) {
      mkdirSync(join(dir, 'set', `${i}`), { recursive: true });
      if (i > 0) for (const name of ['a', 'b']) link(`../${i}`, `set/${i - 1}/${name}`);
    }
    link('..', 'set/7/up');
    write('set/39/x.jpg');
    write('set/39/y.jpg');
    const images = ['set/39/x.jpg', 'set/39/y.jpg'].map((path) => join(dir, path));
    expect((await listFolder(join(dir, 'set'))).paths).toEqual(images);
    const chosen = async (pattern: string) =>
      (await expandSources([join(dir, pattern)])).sources.map(({ label }) => relative(dir, label));
    expect(await chosen('set/**/*.jpg')).toEqual(['set/39/x.jpg', 'set/39/y.jpg']);
    expect(await chosen('set/3*/x.*')).toEqual(['set/39/x.jpg']);
    expect(await chosen('set/0/**')).toHaveLength(2);
  });

  it('keep their place in the order', async () => {
    for (const path of ['in/a/1.jpg', 'in/c/1.jpg', 'out/1.jpg']) write(path);
    link('../out', 'in/b');
    link('../out', 'in/d');
    dir = join(dir, 'in');
    expect(await found()).toEqual(['a/1.jpg', 'b/1.jpg', 'c/1.jpg']);
    dir = dirname(dir);
  });
});

describe('patterns', () => {
  const chosen = async (pattern: string) =>
    (await expandSources([`${dir}/${pattern}`])).sources.map(({ label }) => relative(dir, label));

  it('match files by name, and hidden ones only by theirs', async () => {
    for (const path of ['a/1.jpg', 'a/2.png', 'a/b/3.jpg', '.c/4.jpg', 'a/.5.jpg', 'd[1]/6.jpg']) write(path);
    expect(await chosen('*/*.jpg')).toEqual(['a/1.jpg', 'd[1]/6.jpg']);
    expect(await chosen('**/*.jpg')).toEqual(['a/1.jpg', 'a/b/3.jpg', 'd[1]/6.jpg']);
    expect(await chosen('a/{1,2}.*')).toEqual(['a/1.jpg', 'a/2.png']);
    expect(await chosen('*/.5.jpg')).toEqual(['a/.5.jpg']);
    expect(await chosen('.c/*')).toEqual(['.c/4.jpg']);
    expect(await chosen('d\\[1\\]/*')).toEqual(['d[1]/6.jpg']);
    for (const pattern of ['b/*', 'a/*.gif']) {
      await expect(chosen(pattern)).rejects.toThrow(`No image matches the pattern "${dir}/${pattern}".`);
    }
  });
});

describe.skipIf(process.platform !== 'linux')('names that are not UTF-8', () => {
  const latin = (path: string) => Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(path, 'latin1')]);

  it('are counted, and the others are read', async () => {
    write('a/1.jpg');
    writeFileSync(latin('a/caf\xe9.jpg'), '');
    mkdirSync(latin('a/\xe9t\xe9'));
    writeFileSync(latin('a/\xe9t\xe9/2.jpg'), '');
    const listing = await listFolder(dir);
    expect(listing.paths).toEqual([join(dir, 'a/1.jpg')]);
    const note = `Skipped 2 files or folders whose names are not UTF-8, such as "${dir}/a/caf\ufffd.jpg". Rename them.`;
    expect(describeSkipped([listing])).toEqual([note]);
    expect(await expandSources([`${dir}/a/*.jpg`])).toMatchObject({ sources: [{}], notes: [expect.any(String)] });
    await expect(decode(join(dir, 'a/caf\ufffd.jpg'))).rejects.toThrow(/If its name is not in UTF-8, rename it\.$/);
  });

  it('are refused where they are the names of classes', async () => {
    for (const path of ['a/1.jpg', 'b/1.jpg']) write(path);
    mkdirSync(latin('\xe9t\xe9'));
    const sentence = `The name of the class folder "${dir}/\ufffdt\ufffd" is not UTF-8. Rename the folder.`;
    await expect(openFolder(dir)).rejects.toThrow(sentence);
    await expect(openClasses(dir, ['a', 'b'])).rejects.toThrow(sentence);
  });
});

describe.skipIf(process.platform === 'darwin')('composed and decomposed names', () => {
  const [composed, decomposed] = ['\u00e9squilo', 'e\u0301squilo'];

  it('are one class', async () => {
    for (const path of [`train/${decomposed}/1.jpg`, 'train/zebra/1.jpg', `val/${composed}/2.jpg`]) write(path);
    const { classes, train, validation } = await openFolder(dir);
    expect(classes).toEqual(['zebra', composed]);
    expect([...train].map(({ label }) => label)).toEqual([0, 1]);
    expect([...validation].map(({ label }) => label)).toEqual([1]);
    for (const model of [
      ['a', composed],
      ['a', decomposed],
    ]) {
      const { classes, samples } = await openClasses(join(dir, 'val'), model);
      expect(classes).toEqual(model);
      expect([...samples].map(({ label }) => label)).toEqual([1]);
    }
  });

  it('of two folders side by side are refused', async () => {
    for (const path of [`${composed}/1.jpg`, `${decomposed}/1.jpg`]) write(path);
    await expect(openFolder(dir)).rejects.toThrow(
      `Folder "${dir}" contains two folders named "${composed}", one with composed and one with decomposed letters. Merge them.`,
    );
  });
});
