/** Which channels and filters reach a channel. It is the same in every form. */
import type { Row, Shape } from './layout.ts';

/**
 * A channel after one of the three convolutions, and the filter that computes it: layer 1 is the first 1x1, 2 the 3x3 and
 * 3 the last 1x1. Channels count from 0.
 */
export interface Pick {
  readonly layer: 1 | 2 | 3;
  readonly channel: number;
}

export const layerNames = { 1: 'first 1×1', 2: '3×3', 3: 'last 1×1' } as const;

export const channelsOf = ({ cardinality, splitWidth, branchWidth, output }: Shape, layer: Pick['layer']): number =>
  layer === 3 ? output : cardinality * (layer === 1 ? splitWidth : branchWidth);

/** The layer whose filters, or whose output, a row shows; undefined for the input. */
export function layerOf(row: Row): Pick['layer'] | undefined {
  if (row === 'input') return undefined;
  if (row === 'split' || row === 'map1') return 1;
  return row === 'transform' || row === 'map2' ? 2 : 3;
}

/** The branch of a channel; undefined after the last 1x1, where all branches are added. */
export function branchOf({ splitWidth, branchWidth }: Shape, { layer, channel }: Pick): number | undefined {
  if (layer === 3) return undefined;
  return Math.floor(channel / (layer === 1 ? splitWidth : branchWidth));
}

/** Whether a box of a row takes part in computing the channel. */
export function reaches(shape: Shape, pick: Pick, row: Row, branch: number | undefined): boolean {
  if (row === 'input') return true;
  if (pick.layer === 3) return true;
  const depth = { split: 1, map1: 1, transform: 2, map2: 2, merge: 3, output: 3 }[row];
  return depth <= pick.layer && branch === branchOf(shape, pick);
}

/** The channel as a sentence or two. */
export function describePick(shape: Shape, pick: Pick): string {
  const { cardinality, splitWidth, branchWidth, input } = shape;
  const number = pick.channel + 1;
  const middle = cardinality * branchWidth;
  if (pick.layer === 3) {
    return `Output channel ${number} reads all ${middle} channels before it: ${cardinality} × ${branchWidth} in form A, all at once in forms B and C.`;
  }
  const branch = branchOf(shape, pick)!;
  const place = `Channel ${number} after the ${layerNames[pick.layer]} is in branch ${branch + 1} of ${cardinality}.`;
  if (pick.layer === 1) return `${place} Its filter reads all ${input} input channels.`;
  const reads =
    splitWidth === 1
      ? `only channel ${branch + 1}`
      : `channels ${branch * splitWidth + 1} to ${(branch + 1) * splitWidth}`;
  return `${place} Its filter reads ${reads} of the ${cardinality * splitWidth} before it, and no other group’s.`;
}
