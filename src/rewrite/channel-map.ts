/**
 * What nodes that only move, select and add channels do to a map x [N, C, H, W]: Reshape, Transpose, Slice, Split,
 * Gather, Squeeze, Unsqueeze, Concat, ReduceSum, Add and frozen 1x1 convolutions. Whatever the axes in between, each
 * element of the result is a sum of channels of x at one place,
 *
 *   y[…, k, …] = Σ factor · x[n, map, h, w]     over the terms of k
 *
 * Exporters write slices and grouped convolutions this way: `x.view(n, g, c, h, w)` and an index, or an axis of
 * depthwise maps that is summed over.
 */
import { eachIndex, offset } from '../graph/array.ts';
import { type Dim, type Graph, type Node, unknownDim, type Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { constantInts, fromFront, permutation, reducedAxes, type Shaped } from '../graph/shapes.ts';
import { elements } from '../tensor.ts';
import { toFloat64 } from './constants.ts';
import { channelsOf, isOnnx } from './operators.ts';
import { intsOf } from './other-shapes.ts';
import { inputsOf } from './shapes.ts';
import { wholeRanges } from './slices.ts';
import { isZero } from './sums.ts';

/** Factors by the channel of the source. */
export type Terms = ReadonlyMap<number, number>;

/** An axis of the source, by its number, or an axis of channels, by its size. */
type Axis = { readonly kept: number } | { readonly size: number };

export interface ChannelMap {
  readonly source: Value;
  readonly axes: readonly Axis[];
  /** The terms of each element along the axes of channels, in row-major order. */
  readonly rows: readonly Terms[];
  /** Whether a bias is added as well, after which nothing is followed. */
  readonly isBiased?: boolean;
}

/** Maps with more channels, or more terms in all, are not followed. */
const maxChannels = 2 ** 16;
const maxTerms = 2 ** 22;
/** Longest chain of nodes that is followed up. */
const maxDepth = 256;

type Evaluate = (maps: readonly ChannelMap[], node: Node, inputs: readonly Shaped[]) => (ChannelMap | undefined)[];

/** Operators on one map; further inputs are constants. */
const onOne: { readonly [op: string]: Evaluate } = {
  Conv: ([x], node) => [isNCHW(x!) ? convolved(x!, node) : undefined],
  Gather: ([x], node, [, indices]) => [gathered(x!, intsOf(node, 'axis')[0] ?? 0, indices!)],
  ReduceSum: ([x], node, [, axes]) => [reduced(x!, node, axes)],
  Reshape: ([x], node, [shaped, shape]) => [reshaped(x!, shaped!.dims, node.outputs[0]!.dims, constants(shape))],
  Slice: ([x], _, inputs) => [sliced(x!, inputs)],
  Split: ([x], node) => split(x!, node),
  Squeeze: ([x], _, [, axes]) => [squeezed(x!, constants(axes))],
  Transpose: ([x], node) => [transposed(x!, permutation(intsOf(node, 'perm'), x!.axes.length))],
  Unsqueeze: ([x], _, [, axes]) => [unsqueezed(x!, constants(axes))],
};

/** Operators on several maps of one source. */
const onSeveral: { readonly [op: string]: Evaluate } = {
  Add: (maps) => [added(maps)],
  Concat: (maps, node) => [concatenated(maps, intsOf(node, 'axis')[0] ?? 0)],
  Sum: (maps) => [added(maps)],
};

/**
 * The channel maps of a graph's values, each found once. They hold for one sweep of a rule, which asks for the maps of
 * every node, producers first, so that what was found before a rewrite is not used after it.
 */
export class ChannelMaps {
  readonly #found = new Map<Value, ChannelMap | undefined>();

  /** How the outputs of a node are made of channels of a map; undefined for those that are not. */
  of(graph: Graph, node: Node): (ChannelMap | undefined)[] {
    this.#evaluate(graph, node, 0);
    return node.outputs.map((output) => this.#found.get(output));
  }

  /** The same for the first output of a node that may come later. */
  later(graph: Graph, node: Node): ChannelMap | undefined {
    return this.#mapOf(graph, node.outputs[0]!, 0);
  }

  #mapOf(graph: Graph, value: Value, depth: number): ChannelMap | undefined {
    if (!this.#found.has(value) && value.producer) this.#evaluate(graph, value.producer, depth);
    return this.#found.get(value);
  }

  #evaluate(graph: Graph, node: Node, depth: number): void {
    const made = isOnnx(node) && depth < maxDepth ? this.#evaluated(graph, node, depth + 1) : [];
    for (const [i, output] of node.outputs.entries()) this.#found.set(output, made[i]);
  }

  #evaluated(graph: Graph, node: Node, depth: number): (ChannelMap | undefined)[] {
    const one = onOne[node.op];
    const inputs = inputsOf(node) as Shaped[];
    if (one) {
      const [x] = node.inputs;
      const isConstant = node.op === 'Reshape' || inputs.slice(1).every((input) => !input || input.tensor);
      if (!x || graph.initializers.has(x) || !isConstant) return [];
      const isSource = node.op !== 'Conv' || (x.producer && hasMultiplier(x.producer));
      const map = this.#mapOf(graph, x, depth) ?? (isSource ? identity(x) : undefined);
      return map && !map.isBiased && (node.op !== 'Conv' || isFrozen(node)) ? one([map], node, inputs) : [];
    }
    const several = onSeveral[node.op];
    if (!several) return [];
    const maps: ChannelMap[] = [];
    for (const value of node.inputs) {
      if (node.op !== 'Concat' && value && isZero(graph, value)) continue;
      const map = value && this.#mapOf(graph, value, depth);
      if (!map || map.isBiased || (maps[0] && map.source !== maps[0].source)) return [];
      maps.push(map);
    }
    return several(maps, node, inputs);
  }
}

const constants = (input: Shaped | undefined): number[] => (input?.tensor ? constantInts(input, 'constants') : []);

function identity(source: Value): ChannelMap | undefined {
  const channels = channelsOf(source.dims);
  if (channels === undefined || channels > maxChannels || source.dims!.length < 3) return undefined;
  const axes = source.dims!.map((_, axis) => (axis === 1 ? { size: channels } : { kept: axis }));
  return { source, axes, rows: Array.from({ length: channels }, (_, map) => new Map([[map, 1]])) };
}

const sizesOf = (axes: readonly Axis[]): number[] => axes.flatMap((axis) => ('size' in axis ? axis.size : []));
/** The place of an axis among the axes of channels. */
const placeOf = (axes: readonly Axis[], at: number): number => sizesOf(axes.slice(0, at)).length;

/** The channel axis if there is one, with all other axes of the source: how to transpose [N, C, H, W] to the map. */
export function orderOf({ axes, source }: ChannelMap): number[] | undefined {
  const order = axes.map((axis) => ('kept' in axis ? axis.kept : 1));
  return axes.length === source.dims!.length && new Set(order).size === order.length ? order : undefined;
}

export const isNCHW = (map: ChannelMap): boolean => orderOf(map)?.every((axis, i) => axis === i) ?? false;

/** New rows along axes of channels of these sizes. `from` gives the place of the old row. */
function moved(
  { source, rows }: ChannelMap,
  axes: readonly Axis[],
  from: (index: readonly number[]) => number,
): ChannelMap {
  const sizes = sizesOf(axes);
  const next = new Array<Terms>(elements(sizes));
  eachIndex(sizes, (index, i) => {
    next[i] = rows[from(index)]!;
  });
  return { source, axes, rows: next };
}

function transposed(map: ChannelMap, perm: readonly number[]): ChannelMap {
  const axes = perm.map((axis) => map.axes[axis]!);
  const old = sizesOf(map.axes);
  const places = perm.flatMap((axis) => ('size' in map.axes[axis]! ? placeOf(map.axes, axis) : []));
  return moved(map, axes, (index) => {
    const before = old.map((_, place) => index[places.indexOf(place)]!);
    return offset(old, before);
  });
}

/** Selects entries of one channel axis. */
function selected(map: ChannelMap, axis: number, entries: readonly number[]): ChannelMap | undefined {
  const old = map.axes[axis];
  if (!old || !('size' in old) || entries.some((entry) => !(entry >= 0 && entry < old.size))) return undefined;
  const place = placeOf(map.axes, axis);
  const sizes = sizesOf(map.axes);
  const axes = map.axes.with(axis, { size: entries.length });
  return moved(map, axes, (index) => offset(sizes, index.with(place, entries[index[place]!]!)));
}

const counted = (length: number, start = 0, step = 1): number[] => Array.from({ length }, (_, i) => start + i * step);

function sliced(map: ChannelMap, inputs: readonly Shaped[]): ChannelMap | undefined {
  const ranges = wholeRanges(inputs);
  return ranges.reduce<ChannelMap | undefined>((part, range, axis) => {
    if (!part || range === 'whole') return part;
    const { start, size, step } = range;
    return typeof size === 'number' ? selected(part, axis, counted(size, start, step)) : undefined;
  }, map);
}

function split(map: ChannelMap, node: Node): (ChannelMap | undefined)[] {
  const axis = fromFront(intsOf(node, 'axis')[0] ?? 0, map.axes.length);
  let start = 0;
  return node.outputs.map(({ dims }) => {
    const size = dims?.[axis];
    if (typeof size !== 'number') return undefined;
    start += size;
    return selected(map, axis, counted(size, start - size));
  });
}

function gathered(map: ChannelMap, axis: number, indices: Shaped): ChannelMap | undefined {
  const at = fromFront(axis, map.axes.length);
  const old = map.axes[at];
  if (!old || !('size' in old) || indices.dims.length > 1) return undefined;
  const part = selected(
    map,
    at,
    constants(indices).map((index) => fromFront(index, old.size)),
  );
  return part && indices.dims.length === 0 ? squeezed(part, [at]) : part;
}

function squeezed(map: ChannelMap, axes: readonly number[]): ChannelMap | undefined {
  const gone = axes.map((axis) => fromFront(axis, map.axes.length));
  const isOne = gone.every((axis) => (map.axes[axis] as { size?: number } | undefined)?.size === 1);
  if (!isOne || gone.length === 0) return undefined;
  return { ...map, axes: map.axes.filter((_, axis) => !gone.includes(axis)) };
}

function unsqueezed(map: ChannelMap, axes: readonly number[]): ChannelMap {
  const rank = map.axes.length + axes.length;
  const places = new Set(axes.map((axis) => fromFront(axis, rank)));
  const rest = map.axes.values();
  return { ...map, axes: counted(rank).map((axis) => (places.has(axis) ? { size: 1 } : rest.next().value!)) };
}

/** Only axes of channels may be split and joined, and only next to each other. */
function reshaped(
  map: ChannelMap,
  from: readonly Dim[],
  to: readonly Dim[] | undefined,
  shape: readonly number[],
): ChannelMap | undefined {
  if (!to) return undefined;
  const axes: Axis[] = [];
  const isKept = (axis: number, next: number) => {
    if (from[axis] === to[next] && from[axis] !== unknownDim) return true;
    return typeof from[axis] === 'string' && (shape[next] === -1 || (shape[next] === 0 && next === axis));
  };
  for (let axis = 0; axis < map.axes.length; ) {
    const kept = map.axes[axis]!;
    if ('kept' in kept) {
      if (!isKept(axis, axes.length)) return undefined;
      axes.push(kept);
      axis++;
      continue;
    }
    let total = 1;
    for (let each = map.axes[axis]; each && 'size' in each; each = map.axes[++axis]) total *= each.size;
    const isLast = () => axes.length === to.length || (axis < map.axes.length && isKept(axis, axes.length));
    let product = 1;
    while (product < total || (!isLast() && to[axes.length] === 1)) {
      const size = to[axes.length];
      if (typeof size !== 'number') return undefined;
      axes.push({ size });
      product *= size;
    }
    if (product !== total) return undefined;
  }
  return axes.length === to.length ? { ...map, axes } : undefined;
}

function reduced(map: ChannelMap, node: Node, axesInput: Shaped | undefined): ChannelMap | undefined {
  const named = axesInput ? constants(axesInput) : intsOf(node, 'axes');
  const rank = map.axes.length;
  const gone = reducedAxes(named, new Array(rank).fill(1), intsOf(node, 'noop_with_empty_axes')[0]);
  const axes = map.axes.map((axis, i) => (gone.includes(i) && 'size' in axis ? { size: 1 } : axis));
  if (gone.some((axis) => 'kept' in map.axes[axis]!)) return undefined;
  const sizes = sizesOf(map.axes);
  const sums = sizesOf(axes);
  const rows: Terms[][] = counted(elements(sums)).map(() => []);
  eachIndex(sizes, (index, i) => {
    const at = index.map((value, place) => (sums[place] === 1 ? 0 : value));
    rows[offset(sums, at)]!.push(map.rows[i]!);
  });
  const summed = { ...map, axes, rows: rows.map(sumOf) };
  const keeps = (intsOf(node, 'keepdims')[0] ?? 1) === 1;
  return keeps || gone.length === 0 ? summed : squeezed(summed, gone);
}

function sumOf(rows: readonly Terms[]): Terms {
  const sum = new Map<number, number>();
  for (const terms of rows) for (const [map, factor] of terms) sum.set(map, (sum.get(map) ?? 0) + factor);
  return sum;
}

const sameAxes = (a: readonly Axis[], b: readonly Axis[], but = -1): boolean =>
  a.length === b.length && a.every((axis, i) => i === but || JSON.stringify(axis) === JSON.stringify(b[i]));

function added(maps: readonly ChannelMap[]): ChannelMap | undefined {
  const [first] = maps;
  if (!first || !maps.every(({ axes }) => sameAxes(axes, first.axes))) return undefined;
  const terms = maps.reduce((count, { rows }) => rows.reduce((sum, row) => sum + row.size, count), 0);
  if (terms > maxTerms) return undefined;
  return { ...first, rows: first.rows.map((_, i) => sumOf(maps.map(({ rows }) => rows[i]!))) };
}

function concatenated(maps: readonly ChannelMap[], axis: number): ChannelMap | undefined {
  const [first] = maps;
  const at = fromFront(axis, first?.axes.length ?? 0);
  if (!first?.axes[at] || !maps.every(({ axes }) => sameAxes(axes, first.axes, at) && 'size' in axes[at]!))
    return undefined;
  const place = placeOf(first.axes, at);
  const starts = maps.map(({ axes }) => (axes[at] as { size: number }).size);
  const total = starts.reduce((a, b) => a + b, 0);
  const axes = first.axes.with(at, { size: total });
  const rows = new Array<Terms>(elements(sizesOf(axes)));
  let start = 0;
  for (const map of maps) {
    eachIndex(sizesOf(map.axes), (index, i) => {
      rows[offset(sizesOf(axes), index.with(place, index[place]! + start))] = map.rows[i]!;
    });
    start += (map.axes[at] as { size: number }).size;
  }
  return rows.length > maxChannels ? undefined : { ...first, axes, rows };
}

/** Whether a convolution makes several maps from each channel separately. */
export function hasMultiplier(node: Node): boolean {
  if (opTypeOf(node) !== 'Conv') return false;
  const { group } = attributesOf(node, 'Conv');
  const [filters, perGroup] = node.inputs[1]?.dims ?? [];
  return group > 1 && perGroup === 1 && filters !== group;
}

/** Whether a convolution is 1x1 and each filter only sums channels, or sums and scales them. */
export function isFrozen(node: Node): boolean {
  const weight = node.inputs[1]?.tensor;
  const isUnpadded =
    intsOf(node, 'pads').every((pad) => pad === 0) && intsOf(node, 'strides').every((step) => step === 1);
  const isPointwise = (intsOf(node, 'group')[0] ?? 1) === 1 && weight?.dims.slice(2).every((size) => size === 1);
  if (!isUnpadded || !isPointwise || !weight?.dtype.includes('float')) return false;
  const { data, dims } = weight;
  const perFilter = data.length / dims[0]!;
  for (let m = 0; m < dims[0]!; m++) {
    let factor: number | bigint = 0;
    for (const value of data.subarray(m * perFilter, (m + 1) * perFilter)) {
      if (Number(value) !== 0 && factor !== 0 && value !== factor) return false;
      if (Number(value) !== 0) factor = value;
    }
  }
  return data.some((value) => Number(value) !== 0);
}

function convolved(map: ChannelMap, node: Node): ChannelMap | undefined {
  const weight = node.inputs[1]!.tensor!;
  const factors = toFloat64(weight);
  const channels = map.rows.length;
  if (weight.dims[1] !== channels) return undefined;
  const rows = counted(weight.dims[0]!).map((m) => {
    const sum = new Map<number, number>();
    for (let k = 0; k < channels; k++) {
      const factor = factors[m * channels + k]!;
      if (factor !== 0) for (const [at, term] of map.rows[k]!) sum.set(at, (sum.get(at) ?? 0) + factor * term);
    }
    return sum;
  });
  return { ...map, axes: map.axes.with(1, { size: rows.length }), rows, isBiased: node.inputs[2] !== undefined };
}
