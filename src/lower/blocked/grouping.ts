/** Which groups of a convolution are merged into one so that its channels fill whole blocks. */

/** How a convolution's groups are merged: G groups of `inner` channels in and `outer` out become G/merge. */
export interface Grouping {
  readonly groups: number;
  readonly merge: number;
  readonly inner: number;
  readonly outer: number;
}

/** Beyond this many times the multiplications, merging costs more than it brings. */
const maxMerged = 16;

/** How to fill blocks with the groups of a weight [filters, inner, …]; undefined where no merging does. */
export function grouping([filters, inner]: readonly number[], groups: number, block: number): Grouping | undefined {
  if (filters === undefined || inner === undefined) return undefined;
  const outer = filters / groups;
  for (let merge = 1; merge <= Math.min(groups, maxMerged); merge++) {
    const fits = groups % merge === 0 && (inner * merge) % block === 0 && (outer * merge) % block === 0;
    if (fits) return { groups, merge, inner, outer };
  }
  return undefined;
}
