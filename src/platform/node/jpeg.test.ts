/** Small JPEG files against libvips: every byte must be equal, and what is unusual must be left to it. */

import sharp, { type JpegOptions } from 'sharp';
import { describe, expect, it } from 'vitest';
import { decode } from '../../data/image-source.ts';
import { sampleRandom } from '../../data/random.ts';
import { FormatError } from '../../errors.ts';
import { decodeSmallJpeg } from './jpeg.ts';

type Paint = (x: number, y: number, c: number) => number;

const random = sampleRandom(1, 0, 0);
/** From what hardly fills a block to what fills it with the largest coefficients. */
const paints: Readonly<Record<string, () => Paint>> = {
  noise: () => () => random.int(0, 256),
  waves: () => {
    const [a, b, c] = [random.float(), random.float(), random.float()];
    return (x, y, channel) => 127 + 127 * Math.sin(a * x + b * y + c * channel);
  },
  edges: () => {
    const size = 1 + 9 * random.float();
    return (x, y, c) => ((Math.floor(x / size + c) + Math.floor(y / size)) % 2 ? 255 : 0);
  },
};

async function jpeg(paint: Paint, width: number, height: number, options: JpegOptions = {}, grayscale = false) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return paint(pixel % width, Math.floor(pixel / width), i % 3);
  });
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  return (grayscale ? image.toColourspace('b-w') : image).jpeg(options).toBuffer();
}

async function byLibvips(bytes: Uint8Array) {
  const image = sharp(bytes, { failOn: 'error', ignoreIcc: true }).removeAlpha().toColourspace('srgb').raw();
  const { data, info } = await image.toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: 3, data: new Uint8Array(data) };
}

describe('equals libvips on every byte', () => {
  for (const [name, choose] of Object.entries(paints)) {
    for (const chromaSubsampling of ['4:2:0', '4:4:4', 'grayscale']) {
      it(`${name}, ${chromaSubsampling}`, async () => {
        const grayscale = chromaSubsampling === 'grayscale';
        for (let i = 0; i < 30; i++) {
          const options = {
            quality: random.int(1, 101),
            optimiseCoding: random.float() < 0.5,
            ...(!grayscale && { chromaSubsampling }),
          };
          const bytes = await jpeg(choose(), random.int(1, 70), random.int(1, 70), options, grayscale);
          expect(await decodeSmallJpeg(bytes)).toEqual(await byLibvips(bytes));
        }
      });
    }
  }
});

describe('leaves to libvips', () => {
  const leaves = async (bytes: Uint8Array) => {
    expect(await decodeSmallJpeg(bytes)).toBeUndefined();
    expect(await decode(bytes, 'left')).toEqual(await byLibvips(bytes));
  };
  const waves = paints.waves!();

  it('large and progressive files', async () => {
    await leaves(await jpeg(waves, 97, 96));
    await leaves(await jpeg(waves, 32, 32, { progressive: true }));
  });

  it('files in other colors', async () => {
    const cmyk = await sharp(await jpeg(waves, 32, 32))
      .toColourspace('cmyk')
      .jpeg()
      .toBuffer();
    expect(await decodeSmallJpeg(cmyk)).toBeUndefined();
  });

  it('files of other formats', async () => {
    const bytes = await jpeg(waves, 8, 8);
    await leaves(await sharp(bytes).png().toBuffer());
  });

  it('files that are cut short, and decodes the next one', async () => {
    const bytes = await jpeg(waves, 32, 32);
    for (let length = 0; length < bytes.length; length += 13) {
      expect(await decodeSmallJpeg(bytes.subarray(0, length))).toBeUndefined();
      await expect(decode(bytes.subarray(0, length), 'cut')).rejects.toThrow(FormatError);
    }
    expect(await decodeSmallJpeg(bytes)).toEqual(await byLibvips(bytes));
  });
});
