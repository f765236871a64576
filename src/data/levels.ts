/** Operations that replace each byte by another one, as Pillow's ImageOps does, to the bit. */
import type { Image } from '#platform/images';

type Table = Uint8Array; // [256]

/** Clamps and rounds down. */
const tableOf = (level: (byte: number) => number): Table =>
  Uint8Array.from({ length: 256 }, (_, byte) => Math.min(255, Math.max(0, Math.trunc(level(byte)))));

/** @param tables one per channel. */
function look({ width, height, channels, data: source }: Image, tables: readonly Table[]): Image {
  const data = new Uint8Array(source.length);
  for (const [c, table] of tables.entries()) {
    for (let i = c; i < data.length; i += channels) data[i] = table[source[i]!]!;
  }
  return { width, height, channels, data };
}

/** The same for all channels. */
export function mapBytes(image: Image, level: (byte: number) => number): Image {
  const table = tableOf(level);
  return look(
    image,
    Array.from({ length: image.channels }, () => table),
  );
}

/** From each channel's histogram. */
const mapByHistogram = (image: Image, tableFor: (histogram: Uint32Array) => Table): Image =>
  look(
    image,
    Array.from({ length: image.channels }, (_, c) => tableFor(histogram(image, c))),
  );

function histogram({ channels, data }: Image, c: number): Uint32Array {
  const counts = new Uint32Array(256);
  for (let i = c; i < data.length; i += channels) counts[data[i]!]!++;
  return counts;
}

export const invert = (image: Image): Image => mapBytes(image, (byte) => 255 - byte);

/** Keeps the highest bits of each byte; 0 bits are black. */
export const posterize = (image: Image, bits: number): Image => {
  const mask = 256 - 2 ** (8 - bits);
  return mapBytes(image, (byte) => byte & mask);
};

/** Inverts bytes from the threshold on. */
export const solarize = (image: Image, threshold: number): Image =>
  mapBytes(image, (byte) => (byte < threshold ? byte : 255 - byte));

/** Adds to bytes below 128. */
export const solarizeAdd = (image: Image, amount: number): Image =>
  mapBytes(image, (byte) => (byte < 128 ? byte + amount : byte));

/** Stretches each channel's range to 0 … 255. */
export const autoContrast = (image: Image): Image =>
  mapByHistogram(image, (counts) => {
    const [low, high] = [counts.findIndex((count) => count > 0), counts.findLastIndex((count) => count > 0)];
    if (high <= low) return tableOf((byte) => byte);
    const scale = 255 / (high - low);
    const offset = -low * scale;
    return tableOf((byte) => byte * scale + offset);
  });

/** Spreads each channel's values evenly over 0 … 255. */
export const equalize = (image: Image): Image =>
  mapByHistogram(image, (counts) => {
    const last = counts.findLast((count) => count > 0)!;
    const step = Math.floor((image.width * image.height - last) / 255);
    if (step === 0) return tableOf((byte) => byte);
    let below = Math.floor(step / 2);
    const levels = Array.from(counts, (count) => {
      const level = Math.floor(below / step);
      below += count;
      return level;
    });
    return tableOf((byte) => levels[byte]!);
  });
