/** The filters of the figure on a picture: eight that look at colors, and four that each look at two of the eight. */
import { convolution, type Tensor, tensor } from 'resnext/graph';

/** Red, green and blue as brightness. */
const light = [0.3, 0.59, 0.11];

/** A 3x3 filter over three colors: `taps`, weighted by color. */
const over = (colors: readonly number[], taps: readonly number[]): number[] =>
  colors.flatMap((color) => taps.map((tap) => color * tap));

const taps = {
  vertical: [-1, 0, 1, -2, 0, 2, -1, 0, 1].map((tap) => tap / 4),
  horizontal: [-1, -2, -1, 0, 0, 0, 1, 2, 1].map((tap) => tap / 4),
  falling: [0, 1, 2, -1, 0, 1, -2, -1, 0].map((tap) => tap / 4),
  rising: [2, 1, 0, 1, 0, -1, 0, -1, -2].map((tap) => tap / 4),
  mean: Array.from({ length: 9 }, () => 1 / 9),
  spot: [-1, -1, -1, -1, 8, -1, -1, -1, -1].map((tap) => tap / 8),
} as const;

/** The ordinary convolution before the grouped one: what each of its filters looks for. */
export const first: readonly { readonly name: string; readonly weights: readonly number[] }[] = [
  { name: 'edges ↔', weights: over(light, taps.vertical) },
  { name: 'edges ↕', weights: over(light, taps.horizontal) },
  { name: 'edges ⤡', weights: over(light, taps.falling) },
  { name: 'edges ⤢', weights: over(light, taps.rising) },
  { name: 'brightness', weights: over([0.33, 0.33, 0.33], taps.mean) },
  { name: 'spots', weights: over(light, taps.spot) },
  { name: 'red − green', weights: over([1, -1, 0], taps.mean) },
  { name: 'yellow − blue', weights: over([0.5, 0.5, -1], taps.mean) },
];

/** The four filters of two channels each, one per group. */
export const second: readonly (readonly number[])[] = [
  [...taps.mean, ...taps.mean],
  [...taps.mean.map((tap) => 1.2 * tap), ...taps.mean.map((tap) => -1.2 * tap)],
  [...taps.mean, ...taps.spot.map((tap) => 2 * tap)],
  [...taps.mean, ...taps.mean.map((tap) => -0.8 * tap)],
];

export const groups = second.length;
export const perGroup = first.length / groups;

/** A map of numbers, square. */
export interface FeatureMap {
  readonly side: number;
  readonly values: readonly number[];
}

/** The eight maps of a picture: [1, 3, side, side] → [1, 8, side, side], by the package's own convolution. */
export function firstMaps(colors: Tensor): FeatureMap[] {
  const weights = tensor(
    'float32',
    [first.length, 3, 3, 3],
    Float32Array.from(first.flatMap(({ weights }) => weights)),
  );
  return mapsOf(convolution(colors, weights, { padding: 1 }));
}

/** The map of one group: its two maps, convolved with its own filter. What is in other groups makes no difference to it. */
export function groupMap(maps: readonly FeatureMap[], group: number): FeatureMap {
  const own = maps.slice(group * perGroup, (group + 1) * perGroup);
  const { side } = own[0]!;
  const x = tensor('float32', [1, perGroup, side, side], Float32Array.from(own.flatMap(({ values }) => values)));
  const w = tensor('float32', [1, perGroup, 3, 3], Float32Array.from(second[group]!));
  return mapsOf(convolution(x, w, { padding: 1 }))[0]!;
}

function mapsOf({ dims, data }: Tensor): FeatureMap[] {
  const [, channels, side] = dims as [number, number, number];
  const all = Array.from(data, Number);
  const area = side * side;
  return Array.from({ length: channels }, (_, c) => ({ side, values: all.slice(c * area, (c + 1) * area) }));
}
