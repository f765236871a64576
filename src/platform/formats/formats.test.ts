/** Formats by their first bytes, and our decoders on damaged files. pillow.test.ts compares whole files with Pillow. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sampleRandom } from '../../data/random.ts';
import { openRaster } from './decoders.ts';
import { describeOther, type Format, formatOf } from './formats.ts';

interface Case {
  readonly name: string;
  readonly file: string;
}

const golden = new URL('../../data/golden/formats.json', import.meta.url);
const cases = (JSON.parse(readFileSync(golden, 'utf8')) as { decode: Case[] }).decode.map(({ name, file }) => ({
  name,
  bytes: new Uint8Array(Buffer.from(file, 'base64')),
}));
const own = cases.filter(({ name }) => /^(bmp|pbm|pgm|ppm|gif)/.test(name));

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const pixels = (bytes: Uint8Array, format: Format): number[] => [...openRaster(bytes, format)!.pixels()];

describe('the first bytes tell', () => {
  it('the format of every file that is decoded', () => {
    const names = { jpeg: 'JPEG', png: 'PNG', gif: 'GIF', tiff: 'TIFF', webp: 'WebP', bmp: 'BMP' };
    const formats = new Map(Object.entries(names));
    for (const { name, bytes } of cases) {
      expect(formatOf(bytes), name).toBe(formats.get(name.split(/\W/)[0]!) ?? 'PNM');
    }
  });

  it.each([
    ['HEIC', '\0\0\0\x18ftypheic\0\0\0\0mif1heic'],
    ['AVIF', '\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf'],
    ['PNM', 'P7\nWIDTH 4\n'],
    ['PNM', 'P6\n# a comment\n'],
  ])('%s', (format, head) => expect(formatOf(bytesOf(head))).toBe(format));

  it.each([
    ['it is SVG', '<svg xmlns="http://www.w3.org/2000/svg"/>'],
    ['it is SVG', '\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n<svg>'],
    ['it is PDF', '%PDF-1.7'],
    ['it is a web page', '\n<!DOCTYPE html><html>'],
    ['it is a video', '\0\0\0\x20ftypisom'],
    ['it is JPEG XL', '\xff\x0a\xfa'],
    ['its format is not supported, or it is damaged', 'BMW and P1 are words'],
  ])('%s, which is not read', (reason, head) => {
    expect(formatOf(bytesOf(head))).toBeUndefined();
    expect(describeOther(bytesOf(head))).toBe(`${reason}; expected JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP or PNM`);
  });
});

describe('a damaged file has a reason and nothing else', () => {
  const reason = (bytes: Uint8Array): string | undefined => {
    const format = formatOf(bytes);
    if (format === undefined) return 'another format';
    try {
      const { width, height, pixels } = openRaster(bytes, format)!;
      expect(width * height).toBeGreaterThan(0);
      if (width * height <= 1e6) expect(pixels()).toHaveLength(3 * width * height);
      return undefined;
    } catch (error) {
      expect(error).toMatchObject({ name: 'Error' }); // no RangeError or TypeError
      return (error as Error).message;
    }
  };

  it('where it is cut short', () => {
    for (const { name, bytes } of own.filter(({ name }) => name !== 'gif animated')) {
      for (let length = 0; length < bytes.length - 8; length += 1 + (length >> 3)) {
        expect(reason(bytes.subarray(0, length)), `${name}, ${length} of ${bytes.length}`).toBeDefined();
      }
    }
  });

  it('where bytes were changed', () => {
    const random = sampleRandom(3, 0, 0);
    for (let round = 0; round < 30; round++) {
      for (const { bytes } of own) {
        const changed = bytes.slice();
        const reach = round % 2 === 0 ? Math.min(70, bytes.length) : bytes.length;
        for (let i = random.int(0, 6); i >= 0; i--) {
          changed[random.int(0, reach)] = [0, 1, 128, 255, random.int(0, 256)][random.int(0, 5)]!;
        }
        reason(changed);
      }
    }
  });
});

describe('what Pillow does not read, or reads wrong', () => {
  /** A BMP of 4 × 2 pixels with 8 bits, in runs. Its palette is gray. */
  function runs(...data: number[]): Uint8Array {
    const bytes = new Uint8Array(14 + 40 + data.length);
    const view = new DataView(bytes.buffer);
    bytes.set(bytesOf('BM'));
    view.setUint32(10, 54, true);
    for (const [at, value] of [[14, 40], [18, 4], [22, 2], [30, 1], [46, 0]] as const) view.setUint32(at, value, true); // biome-ignore format: one line
    view.setUint16(28, 8, true);
    bytes.set(data, 54);
    return bytes;
  }

  it('a move in a BMP with runs', () => {
    const palette = Array.from({ length: 256 }, (_, i) => [i, i, i, 0]).flat();
    const file = runs(...palette, 1, 7, 0, 2, 1, 1, 2, 9, 0, 1);
    const gray = pixels(file, 'BMP').filter((_, i) => i % 3 === 0);
    expect(gray).toEqual([0, 0, 9, 9, 7, 0, 0, 0]); // from the bottom up
  });

  it('PAM', () => {
    const head = (depth: number) => `P7\nWIDTH 2\nHEIGHT 1\n# by hand\nDEPTH ${depth}\nMAXVAL 255\nENDHDR\n`;
    expect(pixels(bytesOf(`${head(1)}\x05\x09`), 'PNM')).toEqual([5, 5, 5, 9, 9, 9]);
    expect(pixels(bytesOf(`${head(2)}\x05\xff\x09\x00`), 'PNM')).toEqual([5, 5, 5, 9, 9, 9]);
    expect(pixels(bytesOf(`${head(4)}\x01\x02\x03\xff\x04\x05\x06\x00`), 'PNM')).toEqual([1, 2, 3, 4, 5, 6]);
    const bits = 'P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n\x00\x01';
    expect(pixels(bytesOf(bits), 'PNM')).toEqual([0, 0, 0, 255, 255, 255]);
  });

  it('16-bit grayscale, whose range is kept', () => {
    expect(pixels(bytesOf('P5 2 1 65535\n\x12\x34\xff\xff'), 'PNM')).toEqual([18, 18, 18, 255, 255, 255]);
    expect(pixels(bytesOf('P2 2 1 1000\n500 1000'), 'PNM')).toEqual([128, 128, 128, 255, 255, 255]);
  });
});
