/** Channels that a Slice or Split cuts from a map, and whether several cuts together cover all channels in order. */
import { type Dim, describe, type Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { axisOf, constantInts, type Shaped, sliceRanges } from '../graph/shapes.ts';
import type { Refusal } from './rewriter.ts';
import { inputsOf } from './shapes.ts';

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Whether a value is cut from `source`. */
export function isCutFrom(value: Value, source: Value): boolean {
  const op = value.producer && opTypeOf(value.producer);
  return (op === 'Slice' || op === 'Split') && value.producer!.inputs[0] === source;
}

/** The reason why values cut from `source` are not all of its channels in order, if they are not. */
export function sliceProblem(values: readonly Value[], source: Value): Refusal | undefined {
  const channels = source.dims?.[1];
  if (typeof channels !== 'number') return { refused: `"${source.name}" has an unknown number of channels.` };
  let next = 0;
  for (const [i, value] of values.entries()) {
    const range = channelRange(value);
    const node = describe(value.producer!);
    if (!range) return { refused: `${node} does not take a contiguous range of channels.` };
    if (range.start !== next) {
      const found = `channels ${range.start} to ${range.end - 1}`;
      return { refused: `${node} takes ${found} for branch ${i + 1}, but expected them to start at channel ${next}.` };
    }
    next = range.end;
  }
  if (next === channels) return undefined;
  return { refused: `the branches read only ${next} of the ${channels} channels of "${source.name}".` };
}

/** The range of its node's input channels that a value holds. */
function channelRange(value: Value): Range | undefined {
  const node = value.producer!;
  const dims = node.inputs[0]!.dims!;
  if (opTypeOf(node) === 'Slice') return slicedChannels(inputsOf(node));
  if (axisOf(attributesOf(node, 'Split').axis, dims) !== 1) return undefined;
  const sizes = node.outputs.slice(0, node.outputs.indexOf(value) + 1).map((output) => output.dims?.[1]);
  if (!sizes.every((size) => typeof size === 'number')) return undefined;
  const end = sizes.reduce((a, b) => a + b, 0);
  return { start: end - sizes.at(-1)!, end };
}

/** A Slice's range on one axis. */
interface AxisRange {
  readonly start: number;
  readonly size: Dim;
  readonly step: number;
}

/** A Slice's range on each axis, or that it takes the whole axis. All inputs after the first are constants. */
export function wholeRanges(inputs: readonly (Shaped | undefined)[]): (AxisRange | 'whole')[] {
  const [x, , ends, axes] = inputs as Shaped[];
  const lasts = constantInts(ends!, 'ends');
  const named = axes ? constantInts(axes, 'axes').map((axis) => axisOf(axis, x!.dims)) : [...lasts.keys()];
  return sliceRanges(inputs as Shaped[]).map((range, axis) => {
    const place = named.indexOf(axis);
    const isAll = typeof range.size === 'number' ? range.size === x!.dims[axis] : lasts[place]! >= 2 ** 31 - 1;
    return place < 0 || (range.start === 0 && range.step === 1 && isAll) ? 'whole' : range;
  });
}

function slicedChannels(inputs: readonly (Shaped | undefined)[]): Range | undefined {
  if (inputs.slice(1).some((input) => input && !input.tensor)) return undefined;
  const ranges = wholeRanges(inputs);
  const channels = ranges[1]!;
  if (!ranges.every((range, axis) => axis === 1 || range === 'whole')) return undefined;
  if (channels === 'whole') return { start: 0, end: (inputs[0] as Shaped).dims[1] as number };
  const { start, size, step } = channels;
  return step === 1 && typeof size === 'number' ? { start, end: start + size } : undefined;
}
