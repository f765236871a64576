/**
 * A map [N, C, 2h, 2w] has four phases, each [N, C, h, w]: the pixels of its even or odd rows and columns.
 *
 * The input gradient of a convolution with stride 2 is cheaper phase by phase than over dy with zeros between its
 * pixels: dx[2i + a] = Σ dy[i + (a + pad − p)/2] · w[p] over the taps p with the parity of a + pad. So each phase is a
 * convolution of dy without stride and with a quarter of the taps. Here all four are one convolution, with four times
 * as many output channels and a kernel over all the pixels that any phase reads.
 */
import type { Value } from '../../graph/graph.ts';
import { sizes } from '../../graph/shapes.ts';
import type { Window } from '../../graph/window.ts';
import { elements, tensor } from '../../tensor.ts';
import { blockDiagonal } from './filters.ts';
import type { Grouping } from './grouping.ts';
import type { BlockedNodes } from './nodes.ts';

const parities = [0, 1] as const;

/** Which pixels of dy, starting at its pixel i, phase a reads, and the tap for each. */
interface Reads {
  readonly first: number;
  readonly count: number;
  /** The tap of phase a for read u, or undefined. */
  readonly tap: (a: number, u: number) => number | undefined;
}

function readsAlong(kernel: number, pad: number): Reads {
  const all = parities.flatMap((a) =>
    Array.from({ length: kernel }, (_, p) => ({ a, p, at: (a + pad - p) / 2 })).filter(({ at }) =>
      Number.isInteger(at),
    ),
  );
  const first = Math.min(...all.map(({ at }) => at));
  const count = Math.max(...all.map(({ at }) => at)) - first + 1;
  return { first, count, tap: (a, u) => all.find((read) => read.a === a && read.at === first + u)?.p };
}

/**
 * dx [N, C, 2h, 2w] from dy [N, M, h, w] and the weight of a convolution with stride 2 and no dilation.
 *
 * @param weight [M, K, kh, kw], already scaled if dy has a pending scale.
 */
export function strideTwoInputGradient(
  n: BlockedNodes,
  dy: Value,
  weight: Value,
  { kernel, begin }: Window,
  grouping: Grouping,
): Value {
  const { groups, merge, inner, outer } = grouping;
  const along = kernel.map((taps, axis) => readsAlong(taps, begin[axis]!)) as [Reads, Reads];
  const reads = along.map(({ count }) => count) as [number, number];
  const wide = n.reshape(blockDiagonal(n, weight, grouping), [groups * outer * merge * inner, elements(kernel)]);
  const padded = n.b.op('Pad', [wide, n.ints([0, 0, 0, 1])]); // a tap of zeros, for reads that a phase does not need
  const taps = n.gather(padded, n.b.constant(tapsOfPhases(along, kernel[1]!, elements(kernel))), 1);
  const [rows, columns] = [(merge * outer) / n.block, (merge * inner) / n.block];
  const parts = n.reshape(taps, [groups / merge, rows, n.block, columns, n.block, 4, reads[0] * reads[1]]);
  const filter = n.b.op('Transpose', [parts], { perm: [0, 3, 5, 1, 6, 2, 4] });
  const before = along.map(({ first }) => -first);
  const after = along.map(({ first, count }) => first + count - 1);
  const phases = n.conv(dy, n.reshape(filter, [4 * groups * inner, merge * outer, ...reads]), {
    group: groups / merge,
    pads: [...before, ...after],
  });
  return interleaved(n, phases);
}

/** For each phase and each of its reads, the tap to use; the index after the last tap is the tap of zeros. */
function tapsOfPhases([down, across]: readonly [Reads, Reads], kernelWidth: number, zero: number) {
  const indices = parities.flatMap((a) =>
    parities.flatMap((b) =>
      Array.from({ length: down.count * across.count }, (_, i) => {
        const [p, q] = [down.tap(a, Math.floor(i / across.count)), across.tap(b, i % across.count)];
        return p === undefined || q === undefined ? zero : p * kernelWidth + q;
      }),
    ),
  );
  return tensor('int32', [indices.length], Int32Array.from(indices));
}

/** x[stride · i + at], for a map of 1/stride the size, with 0 outside the border; plus another map. All are blocked. */
export function picked(n: BlockedNodes, x: Value, at: readonly number[], stride: number, plus?: Value): Value {
  const channels = sizes(x)[1]!;
  const kernel = at.map((offset) => Math.abs(offset) + 1);
  const before = at.map((offset) => Math.max(0, -offset));
  const after = at.map((offset) => Math.max(0, offset + 1 - stride));
  const [hot, width] = [at.map((offset) => Math.max(0, offset)), kernel[1]!];
  const taps = elements(kernel);
  const filter = tensor('float32', [channels, 1, ...kernel]); // stored [C/B, kh, kw, B]
  for (let i = 0; i < filter.data.length; i++) {
    filter.data[i] = Math.floor(i / n.block) % taps === hot[0]! * width + hot[1]! ? 1 : 0;
  }
  const options = { group: channels, strides: [stride, stride], pads: [...before, ...after], plus };
  return n.conv(x, n.b.constant(filter), options);
}

/** Phases, stored as [N, C/B, 2, 2, h, w, B] and declared as [N, 4·C, h, w] → the map [N, C, 2h, 2w]. */
export function interleaved(n: BlockedNodes, phases: Value): Value {
  const [batch, channels, h, w] = sizes(phases) as [number, number, number, number];
  const c = channels / 4;
  const stored = n.reshape(phases, [(batch * c) / n.block, 2, 2, h, w, n.block]);
  return n.reshape(n.b.op('Transpose', [stored], { perm: [0, 3, 1, 4, 2, 5] }), [batch, c, 2 * h, 2 * w]);
}
