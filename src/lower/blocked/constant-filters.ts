/**
 * Filters of blocked convolutions from constant weights, reordered once during lowering instead of in every run.
 * `nodes.ts` describes the storage order; groups are merged as in `filters.ts`.
 */
import { elements, type Tensor, tensor } from '../../tensor.ts';
import type { Grouping } from './grouping.ts';

/** The entry of a dense filter for an output channel, an input channel of its merged group, and a tap. */
type Entry = (output: number, input: number, tap: number) => number;

/** The forward filter for a weight [M, K, kh, kw]. */
export function constantForwardFilter(weight: Tensor, { merge, inner, outer }: Grouping, block: number): Tensor {
  const [filters, , ...kernel] = weight.dims as [number, number, number, number];
  const taps = elements(kernel);
  return blocked([filters, merge * inner, ...kernel], block, (m, c, tap) => {
    const place = Math.floor(m / outer) % merge; // position of the filter's own group in the merged one
    const own = c - place * inner;
    return own >= 0 && own < inner ? Number(weight.data[(m * inner + own) * taps + tap]) : 0;
  });
}

/** The backward filter: input and output channels swapped, the taps in reverse order. */
export function constantBackwardFilter(weight: Tensor, grouping: Grouping, block: number): Tensor {
  const { groups, merge, inner, outer } = grouping;
  const kernel = weight.dims.slice(2);
  const taps = elements(kernel);
  return blocked([groups * inner, merge * outer, ...kernel], block, (c, j, tap) => {
    const group = Math.floor(c / inner);
    const m = Math.floor(group / merge) * merge * outer + j;
    if (Math.floor(m / outer) !== group) return 0;
    return Number(weight.data[(m * inner + (c % inner)) * taps + taps - 1 - tap]);
  });
}

/** The filter for a convolution with few input channels, which stay plain: [M/B, K, kh, kw, B out]. */
export function constantStemFilter(weight: Tensor, block: number): Tensor {
  const [filters] = weight.dims as [number];
  const rest = weight.data.length / filters;
  const filter = tensor('float32', weight.dims);
  for (let i = 0; i < filter.data.length; i++) {
    const [m, at] = [Math.floor(i / (rest * block)) * block + (i % block), Math.floor(i / block) % rest];
    filter.data[i] = Number(weight.data[m * rest + at]);
  }
  return filter;
}

/** [M/B, K/B, kh, kw, B in, B out], declared as [M, K, kh, kw]. */
function blocked(dims: readonly number[], block: number, entry: Entry): Tensor {
  const [filters, channels, ...kernel] = dims as [number, number, number, number];
  const taps = elements(kernel);
  const filter = tensor('float32', dims);
  let i = 0;
  for (let m = 0; m < filters; m += block) {
    for (let c = 0; c < channels; c += block) {
      for (let tap = 0; tap < taps; tap++) {
        for (let input = 0; input < block; input++) {
          for (let output = 0; output < block; output++) filter.data[i++] = entry(m + output, c + input, tap);
        }
      }
    }
  }
  return filter;
}
