import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Metadata } from 'sharp';
import { afterAll, expect, it } from 'vitest';
import { decode } from '../../data/image-source.ts';
import { thumbnail } from './decode.ts';

const dir = mkdtempSync(join(tmpdir(), 'resnext-thumbnail-'));
afterAll(() => rmSync(dir, { recursive: true }));

const [width, height] = [240, 160];
const noise = Uint8Array.from({ length: width * height * 3 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 24) & 255);
const jpeg = () => sharp(noise, { raw: { width, height, channels: 3 } }).jpeg();

async function shown(path: string): Promise<Metadata> {
  const [head, base64] = (await thumbnail(await decode(path), 96)).split(',') as [string, string];
  expect(head).toBe('data:image/jpeg;base64');
  return sharp(Buffer.from(base64, 'base64')).metadata();
}

it('limits the longer side', async () => {
  const path = join(dir, 'whole.jpg');
  await jpeg().toFile(path);
  expect(await shown(path)).toMatchObject({ width: 96, height: 64 });
});

it('shows an image that can be read although some of its data is damaged', async () => {
  const bytes = await jpeg().toBuffer();
  const path = join(dir, 'damaged.jpg');
  bytes.set([0xff, 0xd0], 9000); // a marker within the data
  writeFileSync(path, bytes);
  await expect(sharp(path, { failOn: 'warning' }).raw().toBuffer()).rejects.toThrow(/Corrupt JPEG data/);
  expect(await decode(path)).toMatchObject({ width, height });
  expect(await shown(path)).toMatchObject({ width: 96, height: 64 });
});
