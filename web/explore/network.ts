/**
 * The names of networks, taken apart: `resnext50_32x4d` is a depth, a cardinality and a base width, and a slider changes
 * one of them. Any name that comes out is checked by the package.
 */
import { resnext, variant, variants } from 'resnext';

/** A network of eight channels, so small that every weight can be drawn. */
export const toy = 'resnext20_4x64d_w2';

export const usual = 'resnext50_32x4d';

export const published: readonly string[] = variants;

/** What the sliders offer. The depths are those with a stem for large images, and those with one for small ones. */
const depths = { large: [14, 26, 38, 50, 101, 152], small: [11, 20, 29, 56] } as const;
const cardinalities = [1, 2, 4, 8, 16, 32, 64];
const baseWidths = [1, 2, 4, 8, 14, 16, 24, 32, 40, 48, 64];

/** The paper's pairs of about the same cost (Table 2). */
export const equalCost = ['1x64d', '2x40d', '4x24d', '8x14d', '32x4d'] as const;

const pattern = /^(?<before>\D+)(?<depth>\d+)(?<mark>[dt]?)_(?<cardinality>\d+)x(?<baseWidth>\d+)d(?<after>(_w\d+)?)$/;

export interface NameParts {
  readonly before: string;
  readonly depth: number;
  readonly mark: string;
  readonly cardinality: number;
  readonly baseWidth: number;
  readonly after: string;
}

/** The parts of a name; undefined for `senet154`, which has none. */
export function partsOf(name: string): NameParts | undefined {
  const found = pattern.exec(name)?.groups;
  if (!found) return undefined;
  const { before = '', depth, mark = '', cardinality, baseWidth, after = '' } = found;
  return { before, depth: Number(depth), mark, cardinality: Number(cardinality), baseWidth: Number(baseWidth), after };
}

/** @example nameOf({ ...partsOf('resnext50_32x4d')!, cardinality: 8 }) // 'resnext50_8x4d' */
export const nameOf = ({ before, depth, mark, cardinality, baseWidth, after }: NameParts): string =>
  `${before}${depth}${mark}_${cardinality}x${baseWidth}d${after}`;

/** Sorted, with the current value among them. */
const withCurrent = (values: readonly number[], current: number): number[] =>
  [...new Set([...values, current])].sort((a, b) => a - b);

export const depthStops = (name: string, { depth }: NameParts): number[] =>
  withCurrent(isSmall(name) ? depths.small : depths.large, depth);
export const cardinalityStops = ({ cardinality }: NameParts): number[] => withCurrent(cardinalities, cardinality);
/** Branches of a network with few features need a larger base width, or they would have no channels. */
export function baseWidthStops({ baseWidth, after }: NameParts): number[] {
  const features = Number(after.slice(2) || 64);
  return withCurrent(baseWidths, baseWidth).filter((width) => (features * width) / 64 >= 1);
}

/** Whether the network is for small images, as those of CIFAR. */
export const isSmall = (name: string): boolean => variant(name).stem === 'cifar';

export const stageCount = (name: string): number => variant(name).depths!.length;

/** Form A is drawn, so it cannot have any number of branches. */
const maxCardinality = 64;

/** Whether there is a network of this name that the page can draw. */
export function isNetwork(name: string): boolean {
  try {
    resnext({ ...variant(name), depths: [1] });
    return (partsOf(name)?.cardinality ?? 1) <= maxCardinality;
  } catch {
    return false;
  }
}
