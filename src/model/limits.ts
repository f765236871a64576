/**
 * The largest networks. A config may come from a file that nobody has checked yet, and its numbers decide how large a
 * graph is built; so they are compared with these limits first. All are well above what anybody trains: the largest
 * published network in branches, a ResNeXt-152 64x4d, has 3200 of them.
 */
import { UsageError } from '../errors.ts';

/** Each stage halves the map and doubles the features. */
const maxStages = 16;
export const maxBlocks = 1000;
/** In forms A and B, which build every branch of every block. */
const maxBranches = 16_384;

/** Sizes that take no time to build, but still have to be numbers that can be computed with. */
const largest = {
  cardinality: 2 ** 16,
  baseWidth: 2 ** 16,
  width: 2 ** 16,
  stemWidth: 2 ** 16,
  classes: 2 ** 24,
  inputChannels: 2 ** 16,
} as const;

/** The largest height and width of an input, and of an image before it is cropped. */
export const maxSide = 16_384;

/** What decides the size of a network. */
interface Sizes extends Readonly<Record<keyof typeof largest, number>> {
  readonly depths: readonly number[];
  readonly inputSize: readonly [number, number];
  readonly form: string;
}

/** @throws UsageError for the first number above its limit. */
export function checkLimits(config: Sizes): void {
  const { depths, cardinality, form, inputSize } = config;
  const limited: readonly (readonly [subject: string, value: number, limit: number])[] = [
    ['The number of stages in depths', depths.length, maxStages],
    ['The number of blocks in depths', blocksOf(config), maxBlocks],
    ...Object.entries(largest).map(([name, limit]) => [name, config[name as keyof typeof largest], limit] as const),
    ['The height or width in inputSize', Math.max(...inputSize), maxSide],
    [`The number of branches in form ${form}`, form === 'C' ? 0 : blocksOf(config) * cardinality, maxBranches],
  ];
  const above = limited.find(([, value, limit]) => value > limit);
  if (above) throw new UsageError(`${above[0]} is ${above[1]}, but expected at most ${above[2]}.`);
}

export const blocksOf = ({ depths }: Pick<Sizes, 'depths'>): number => depths.reduce((sum, n) => sum + n, 0);

/**
 * A lower bound for the number of tensors of a network in its own form. A block has three convolutions and three
 * normalizations of four vectors each; in forms A and B, all but the last of each belong to a branch.
 */
export function leastTensors(config: Pick<Sizes, 'depths' | 'cardinality' | 'form'>): number {
  return blocksOf(config) * (config.form === 'C' ? 15 : 10 * config.cardinality + 5);
}
