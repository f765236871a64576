/** Images that cannot be read: what is detected, and what the error says. Pixels are compared in pillow.test.ts. */

import sharp from 'sharp';
import { afterEach, expect, it, vi } from 'vitest';
import { decode } from '../../data/image-source.ts';
import { FormatError, UsageError } from '../../errors.ts';
import { readImageFile } from './files.ts';

const noise = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 24) & 255);
const encode = (format: 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif'): Promise<Buffer> =>
  sharp(noise, { raw: { width: 40, height: 30, channels: 3 } })
    .toFormat(format)
    .toBuffer();

afterEach(() => {
  vi.doUnmock('sharp');
  vi.resetModules();
});

for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const) {
  it(`detects a ${format} that was cut short`, async () => {
    const bytes = await encode(format);
    await expect(decode(bytes, 'whole')).resolves.toMatchObject({ width: 40, height: 30, channels: 3 });
    for (const kept of [0.3, 0.6, 0.95]) {
      const cut = decode(bytes.subarray(0, Math.floor(bytes.length * kept)), 'cut');
      await expect(cut).rejects.toThrow(FormatError);
      await expect(cut).rejects.toThrow(/^Image "cut" cannot be read: .+\. Replace or remove it\.$/);
    }
  });
}

it('says what is wrong with bytes that are no image', async () => {
  await expect(decode(Buffer.from('no image'), 'a.jpg')).rejects.toThrow(
    'Image "a.jpg" cannot be read: its format is not supported, or it is damaged; expected JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP or PNM. Replace or remove it.',
  );
  await expect(decode(new Uint8Array(), 'none')).rejects.toThrow(
    'Image "none" cannot be read: the file is empty. Replace or remove it.',
  );
});

it('names a file that is missing by its path, or as it is called', () => {
  expect(() => readImageFile('nowhere/a.jpg')).toThrow(/^There is no image "nowhere\/a.jpg"\.$/);
  expect(() => readImageFile('nowhere/a.jpg', 'a rose')).toThrow('There is no image "a rose".');
  expect(() => readImageFile('package.json/a.jpg')).toThrow('There is no image "package.json/a.jpg".');
  expect(() => readImageFile('src')).toThrow('"src" is a folder. Name the images in it.');
});

it('asks for sharp where it cannot be loaded', async () => {
  const png = await encode('png');
  vi.doMock('sharp', () => {
    throw new Error('not installed');
  });
  vi.resetModules();
  const { decode } = await import('../../data/image-source.ts');
  const missing = await decode(png, 'a.png').catch((error: unknown) => error);
  expect(missing).toMatchObject({ name: UsageError.name });
  expect(String(missing)).toMatch(/The package sharp cannot be loaded \(.+\)\. Run `npm install sharp`\./);
});
