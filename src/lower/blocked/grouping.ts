/** Which groups of a convolution to merge so that the channels fill whole blocks. */

/** How to merge the groups of a convolution: G groups of `inner` channels in and `outer` out become G/merge groups. */
export interface Grouping {
  readonly groups: number;
  readonly merge: number;
  readonly inner: number;
  readonly outer: number;
}

/** With more than this many times the multiplications, merging costs more than it saves. */
const maxMerged = 16;

/** How to fill blocks with the groups of a weight [filters, inner, …]; undefined if no merging does. */
export function grouping([filters, inner]: readonly number[], groups: number, block: number): Grouping | undefined {
  if (filters === undefined || inner === undefined) return undefined;
  const outer = filters / groups;
  for (let merge = 1; merge <= Math.min(groups, maxMerged); merge++) {
    const fits = groups % merge === 0 && (inner * merge) % block === 0 && (outer * merge) % block === 0;
    if (fits) return { groups, merge, inner, outer };
  }
  return undefined;
}
