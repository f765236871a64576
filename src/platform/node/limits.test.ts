/** Small files that ask for much: the limit of pixels, the list of formats, and the limit of time. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { decode } from '../../data/image-source.ts';
import { withinTime } from './time-limit.ts';

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const u16 = (value: number): string => String.fromCharCode(value & 255, value >> 8);
const u32 = (value: number): string => u16(value & 0xffff) + u16(value >>> 16);

/** Files whose header claims 16,383 × 16,383 pixels. The WebP file is whole: each pixel takes no bits. */
const side = 16383;
const claims: Readonly<Record<string, Uint8Array>> = {
  WebP: bytesOf(`RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f${u32((side - 1) | ((side - 1) << 14))}\x88\x88\x08\0\0\0\0\0\0`),
  'WebP with a canvas': bytesOf(`RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xfe\x3f\0\xfe\x3f\0\0\0\0\0`),
  PNG: bytesOf('\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x3f\xff\0\0\x3f\xff\x01\0\0\0\0'),
  JPEG: bytesOf('\xff\xd8\xff\xdb\0\x03\0\xff\xff\xc2\0\x0b\x08\x3f\xff\x3f\xff\x01\x01\x11\0\xff\xd9'),
  GIF: bytesOf(`GIF89a${u16(side)}${u16(side)}\0\0\0,\0\0\0\0${u16(1)}${u16(1)}\0\x02\x02\x4c\x01\0;`),
  'GIF with a large frame': bytesOf(`GIF89a${u16(1)}${u16(1)}\0\0\0,\0\0\0\0${u16(side)}${u16(side)}\0\x02\0;`),
  BMP: bytesOf(`BM${u32(0)}${u32(0)}${u32(54)}${u32(40)}${u32(side)}${u32(side)}\x01\0\x18\0`.padEnd(60, '\0')),
  PNM: bytesOf(`P6 ${side} ${side} 255\n`),
  PAM: bytesOf(`P7\nWIDTH ${side}\nHEIGHT ${side}\nDEPTH 3\nMAXVAL 255\nENDHDR\n`),
};

describe('an image that is larger than the limit is refused by its header', () => {
  for (const [name, bytes] of Object.entries(claims)) {
    it(name, async () => {
      await expect(decode(bytes, 'bomb')).rejects.toThrow(
        `Image "bomb" has ${side} × ${side} pixels, more than 100 megapixels. Make it smaller, or raise the limit (maxMegapixels, --max-megapixels).`,
      );
    });
  }

  it.each(['tiff', 'avif'] as const)('%s, whose header libvips reads', async (format) => {
    const bytes = await sharp({ create: { width: 300, height: 200, channels: 3, background: 'red' } })
      .toFormat(format)
      .toBuffer();
    const limited = (maxMegapixels: number) => decode(bytes, 'large', { maxMegapixels });
    await expect(limited(0.0599)).rejects.toThrow(/^Image "large" has 300 × 200 pixels, more than 0.0599 megapixels\./);
    expect(await limited(0.06)).toMatchObject({ width: 300, height: 200 });
  });

  it('and the limit is a number of megapixels', async () => {
    await expect(decode(claims.PNG!, 'a', { maxMegapixels: 0 })).rejects.toThrow(
      'maxMegapixels is 0, but expected a number above 0 and of at most 1000.',
    );
  });
});

it.each([
  '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
  '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
])('a drawing is not rendered: %s', async (text) => {
  await expect(decode(bytesOf(text), 'a.png')).rejects.toThrow(
    /^Image "a.png" cannot be read: it is SVG; expected JPEG/,
  );
});

it('a JPEG with more scans than encoders write is refused before they are decoded', async () => {
  const noise = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => Math.imul(i + 1, 40503) >> 8);
  const image = sharp(noise, { raw: { width: 40, height: 30, channels: 3 } });
  const bytes = await image.jpeg({ progressive: true }).toBuffer();
  expect(await decode(bytes)).toMatchObject({ width: 40 });
  const scan = bytes.subarray(bytes.lastIndexOf('\xff\xda', undefined, 'latin1'), -2);
  const repeated = (times: number) =>
    Buffer.concat([bytes.subarray(0, -2), ...Array(times).fill(scan), bytes.subarray(-2)]);
  await expect(decode(repeated(250), 'a.jpg')).rejects.toThrow(
    'Image "a.jpg" cannot be read: it has more than 200 scans. Replace or remove it.',
  );
  await expect(decode(repeated(20))).rejects.toThrow(/Inconsistent progression sequence/); // left to libvips
});

it('HEIC is named where it cannot be decoded', async () => {
  const heic = bytesOf('\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\0');
  await expect(decode(heic, 'a.jpg')).rejects.toThrow(
    /it is HEIC, which the installed sharp does not decode; expected/,
  );
});

describe.skipIf(process.platform === 'win32')('what is not a regular file is refused at once', () => {
  const dir = mkdtempSync(join(tmpdir(), 'resnext-limits-'));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('a pipe and a device', async () => {
    const pipe = join(dir, 'pipe.jpg');
    execFileSync('mkfifo', [pipe]);
    await expect(decode(pipe)).rejects.toThrow(
      `"${pipe}" is a pipe, but expected an image file. Copy what it contains to a file.`,
    );
    await expect(decode('/dev/zero')).rejects.toThrow('"/dev/zero" is a device, but expected an image file.');
  });
});

describe('the limit of time', () => {
  afterEach(() => vi.useRealTimers());

  it('counts seconds in which the thread runs, and ends what takes longer', async () => {
    vi.useFakeTimers();
    let failure: unknown;
    const run = withinTime(() => new Promise(() => {})).catch((error: unknown) => {
      failure = error;
    });
    await vi.advanceTimersByTimeAsync(59_000);
    expect(failure).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1000);
    await run;
    expect(failure).toEqual(new Error('decoding it takes more than 60 seconds'));
  });

  it('runs again what gave up by the clock, as after a pause of the process', async () => {
    let runs = 0;
    const action = async () => {
      if (++runs < 3) throw new Error('timeout: 40% complete');
      return 'decoded';
    };
    expect(await withinTime(action)).toBe('decoded');
    await expect(withinTime(() => Promise.reject(new Error('damaged')))).rejects.toThrow('damaged');
  });
});
