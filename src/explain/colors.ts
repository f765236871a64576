/**
 * matplotlib's color map "inferno", from black over red to pale yellow. Its lightness grows evenly, so equal steps of heat
 * look equal, also to readers who see few colors and in print.
 */

/** RGB at equal distances from 0 to 1; colors between them are mixed. */
const stops = '000004 160b39 420a68 6a176e 932667 bc3754 dd513a f37819 fca50a f6d746 fcffa4'
  .split(' ')
  .map((hex) => [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));

const mixed = (byte: number, channel: number): number => {
  const place = (byte / 255) * (stops.length - 1);
  const below = Math.min(stops.length - 2, Math.floor(place));
  const [from, to] = [stops[below]![channel]!, stops[below + 1]![channel]!];
  return Math.round(from + (to - from) * (place - below));
};

/** The color of each byte, as RGB: [256, 3], flat. */
export const inferno: Uint8Array = Uint8Array.from({ length: 256 * 3 }, (_, i) => mixed(Math.floor(i / 3), i % 3));
