/**
 * Named variants, one line of data each: blocks per stage, then every C x d that somebody has published for that depth.
 * A name reads `resnext{depth}_{cardinality}x{base width}d`, with `_w{width}` where the first stage has other than 64
 * features. Any cardinality and base width can be named; `list` has those of the paper, the authors, torchvision, timm,
 * PaddleClas and pytorchcv.
 */
import { UsageError } from '../errors.ts';
import type { ResNeXtOptions, Stem } from './config.ts';

interface Depth {
  readonly stem: Stem;
  readonly depths: readonly number[];
  readonly published: readonly string[];
}

const table: Readonly<Record<string, Depth>> = {
  14: { stem: 'imagenet', depths: [1, 1, 1, 1], published: ['16x4d', '32x2d', '32x4d'] },
  26: { stem: 'imagenet', depths: [2, 2, 2, 2], published: ['16x4d', '32x2d', '32x4d'] },
  38: { stem: 'imagenet', depths: [3, 3, 3, 3], published: ['32x4d'] },
  50: { stem: 'imagenet', depths: [3, 4, 6, 3], published: ['32x4d', '2x40d', '4x24d', '8x14d', '64x4d'] },
  101: {
    stem: 'imagenet',
    depths: [3, 4, 23, 3],
    published: ['32x4d', '32x8d', '64x4d', '32x16d', '32x32d', '32x48d', '2x64d', '1x100d'],
  },
  152: { stem: 'imagenet', depths: [3, 8, 36, 3], published: ['32x4d', '64x4d'] },
  11: { stem: 'cifar', depths: [1, 1, 1], published: ['8x16d_w16', '8x16d_w32'] },
  20: {
    stem: 'cifar',
    depths: [2, 2, 2],
    published: [
      ...['1x64d', '2x32d', '2x64d', '4x16d', '4x32d', '8x8d', '8x16d'],
      ...['16x4d', '16x8d', '32x2d', '32x4d', '64x1d', '64x2d', '8x16d_w16'],
    ],
  },
  29: { stem: 'cifar', depths: [3, 3, 3], published: ['1x64d', '2x64d', '4x64d', '8x64d', '16x64d', '32x4d'] },
  56: {
    stem: 'cifar',
    depths: [6, 6, 6],
    published: ['1x64d', '2x32d', '4x16d', '8x8d', '16x4d', '32x2d', '64x1d'],
  },
  272: { stem: 'cifar', depths: [30, 30, 30], published: ['1x64d', '2x32d'] },
};

/** Every named variant. */
export const variants: readonly string[] = Object.entries(table).flatMap(([depth, { published }]) =>
  published.map((shape) => `resnext${depth}_${shape}`),
);

/**
 * The config that a name stands for.
 *
 * @throws UsageError when the name cannot be read, with the nearest that can.
 * @example variant('resnext29_8x64d') // { depths: [3, 3, 3], stem: 'cifar', cardinality: 8, baseWidth: 64, … }
 */
export function variant(name: string): ResNeXtOptions {
  const match = /^resnext(\d+)_(\d+)x(\d+)d(?:_w(\d+))?$/.exec(name);
  const depth = match && table[match[1]!];
  if (!match || !depth) {
    const depths = Object.keys(table).join(', ');
    throw new UsageError(
      `"${name}" is not a variant: a name reads resnext50_32x4d (depth, cardinality, base width) with a depth of ${depths}.${suggestion(name)}`,
    );
  }
  const { stem, depths } = depth;
  const classes = stem === 'cifar' ? 10 : 1000;
  const [cardinality, baseWidth, width] = [Number(match[2]), Number(match[3]), Number(match[4] ?? 64)];
  return { depths, stem, cardinality, baseWidth, width, classes };
}

function suggestion(name: string): string {
  const nearest = variants.map((known) => ({ known, distance: editDistance(name, known) }));
  const best = nearest.reduce((a, b) => (b.distance < a.distance ? b : a));
  const depth = /\d+/.exec(name)?.[0] ?? '';
  const meant = best.distance <= 4 ? best.known : table[depth] && `resnext${depth}_${table[depth].published[0]}`;
  return meant ? ` Did you mean ${meant}?` : '';
}

/** How many letters to insert, remove or change to make one name of the other. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1)!;
}
