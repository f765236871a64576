/**
 * Brightness, color, contrast, sharpness and hue, as Pillow's ImageEnhance and torchvision's `adjust_hue` change them, to the
 * bit. A factor f gives poor + f · (image - poor), where the poor image lacks what is enhanced: 0 removes it, 1 leaves the
 * image as it is. Numbers are float32, as in Pillow.
 */
import type { Image } from '#platform/images';
import { mapBytes } from './levels.ts';
import { grayscale } from './pixels.ts';

const blended = (poor: number, byte: number, factor: number): number => {
  const value = Math.fround(poor + Math.fround(factor * (byte - poor)));
  return value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
};

/** The poor image is black. */
export const brightness = (image: Image, factor: number): Image => toConstant(image, 0, factor);

/** The poor image has the mean luma everywhere. */
export const contrast = (image: Image, factor: number): Image => {
  const { data } = grayscale(image);
  const mean = data.reduce((sum, luma) => sum + luma, 0) / data.length;
  return toConstant(image, Math.floor(mean + 0.5), factor);
};

function toConstant(image: Image, poor: number, factor: number): Image {
  const f = Math.fround(factor);
  return mapBytes(image, (byte) => blended(poor, byte, f));
}

/** The poor image is the grayscale one. An image of one channel stays as it is. */
export function saturation(image: Image, factor: number): Image {
  const { width, height, channels, data: source } = image;
  if (channels === 1) return image;
  const luma = grayscale(image).data;
  const f = Math.fround(factor);
  const data = source.map((byte, i) => blended(luma[Math.floor(i / 3)]!, byte, f));
  return { width, height, channels, data: new Uint8Array(data) };
}

/** The poor image is smoothed by [1 1 1; 1 5 1; 1 1 1] / 13; its border, one pixel wide, stays as it is. */
export function sharpness(image: Image, factor: number): Image {
  const { width, height, channels, data: source } = image;
  const data = new Uint8Array(source); // [H, W, C]
  const f = Math.fround(factor);
  const line = width * channels;
  for (let y = 1; y < height - 1; y++) {
    for (let i = y * line + channels; i < (y + 1) * line - channels; i++) {
      const three = (at: number) => source[at - channels]! + source[at]! + source[at + channels]!;
      const sum = three(i - line) + three(i) + three(i + line) + 4 * source[i]!;
      data[i] = blended(Math.floor(sum / 13 + 0.5), source[i]!, f);
    }
  }
  return { width, height, channels, data };
}

/** Turns the hue by a share of the circle, -0.5 … 0.5, in bytes of HSV. An image of one channel has none. */
export function hue(image: Image, turn: number): Image {
  const { width, height, channels, data: source } = image;
  if (channels === 1) return image;
  const steps = Math.trunc(turn * 255);
  const data = new Uint8Array(source.length);
  for (let i = 0; i < data.length; i += 3) turnPixel(source, data, i, steps);
  return { width, height, channels, data };
}

function turnPixel(source: Image['data'], data: Uint8Array, i: number, steps: number): void {
  const [r, g, b] = [source[i]!, source[i + 1]!, source[i + 2]!];
  const [v, least] = [Math.max(r, g, b), Math.min(r, g, b)];
  const range = v - least;
  const s = range === 0 ? 0 : Math.trunc(Math.fround(range / v) * 255);
  if (s === 0) return void data.fill(v, i, i + 3);
  const h = (hueByte(r, g, b, v, range) + steps) & 255;
  const sector = Math.floor((h * 6) / 255);
  const rest = Math.fround((h * 6) / 255 - sector);
  const share = Math.fround(s / 255);
  const level = (away: number) => Math.floor(v * (1 - away) + 0.5);
  const [p, q, t] = [level(share), level(Math.fround(share * rest)), level(share * (1 - rest))];
  const colors = [
    [v, t, p],
    [q, v, p],
    [p, v, t],
    [p, q, v],
    [t, p, v],
    [v, p, q],
  ];
  data.set(colors[sector % 6]!, i);
}

function hueByte(r: number, g: number, b: number, max: number, range: number): number {
  const away = (byte: number) => Math.fround((max - byte) / range);
  const h = r === max ? away(b) - away(g) : g === max ? 2 + away(r) - away(b) : 4 + away(g) - away(r);
  return Math.trunc(Math.fround((Math.fround(h) / 6 + 1) % 1) * 255);
}
