/**
 * Shapes of the operators that are only ever rewritten: `graph/shapes.ts` has those that this package also computes and
 * differentiates. Pools and reductions are in both: here in the versions of other operator sets, with attributes or
 * inputs that the package does not compute.
 */
import { UsageError } from '../errors.ts';
import { type Dim, type Node, unknownDim } from '../graph/graph.ts';
import { axisOf, broadcastDims, constantInts, fromFront, reducedAxes, type Shaped } from '../graph/shapes.ts';
import { resolveWindow } from '../graph/window.ts';
import { isElementwise, isOnnx, isUnary } from './operators.ts';

type Dims = readonly Dim[];
type OtherRule = (inputs: readonly Shaped[], node: Node) => Dims[];

const same: OtherRule = ([x]) => [x!.dims];
const globalPool: OtherRule = ([x]) => [[...x!.dims.slice(0, 2), ...x!.dims.slice(2).map(() => 1)]];

const rules: { readonly [op: string]: OtherRule } = {
  ...all(['CumSum', 'DequantizeLinear', 'GroupNormalization', 'Hardmax', 'InstanceNormalization', 'LRN'], same),
  ...all(['LayerNormalization', 'LpNormalization', 'MeanVarianceNormalization', 'QuantizeLinear'], same),
  ...all(['ScatterND', 'Trilu'], same),
  ...all(['GlobalLpPool', 'GlobalMaxPool'], globalPool),
  ...all(['ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean', 'ReduceMin'], reduced),
  ...all(['ReduceProd', 'ReduceSum', 'ReduceSumSquare'], reduced),
  ...all(['AveragePool', 'LpPool', 'MaxPool'], pooled),
  ConstantOfShape: ([shape]) => [constantInts(shape!, 'shape')],
  DepthToSpace: ([x], node) => [blocks(x!.dims, 1 / intsOf(node, 'blocksize')[0]!)],
  Gather: ([x, indices], node) => {
    const axis = axisOf(intsOf(node, 'axis')[0] ?? 0, x!.dims);
    return [[...x!.dims.slice(0, axis), ...indices!.dims, ...x!.dims.slice(axis + 1)]];
  },
  Range: (inputs) => {
    const [start, limit, step] = inputs.map((input) => constantInts(input, 'limits')[0]!);
    return [[Math.max(0, Math.ceil((limit! - start!) / step!))]];
  },
  Resize: resized,
  Shape: ([x], node) => {
    const [start, end] = [intsOf(node, 'start')[0] ?? 0, intsOf(node, 'end')[0] ?? x!.dims.length];
    return [[x!.dims.slice(start, end).length]];
  },
  Size: () => [[]],
  SpaceToDepth: ([x], node) => [blocks(x!.dims, intsOf(node, 'blocksize')[0]!)],
  Squeeze: ([x, axes]) => {
    if (!axes && x!.dims.some((size) => typeof size === 'string')) throw new UsageError('axes are not known.');
    const gone = axes
      ? constantInts(axes, 'axes').map((axis) => axisOf(axis, x!.dims))
      : x!.dims.flatMap((size, axis) => (size === 1 ? axis : []));
    return [x!.dims.filter((_, axis) => !gone.includes(axis))];
  },
  Tile: ([x, repeats]) => {
    const counts = constantInts(repeats!, 'repeats');
    return [x!.dims.map((size, axis) => scaled(size, counts[axis]!))];
  },
  Unsqueeze: ([x, axes]) => {
    const added = constantInts(axes!, 'axes');
    const rank = x!.dims.length + added.length;
    const places = new Set(added.map((axis) => fromFront(axis, rank)));
    const rest = x!.dims.values();
    return [Array.from({ length: rank }, (_, axis) => (places.has(axis) ? 1 : (rest.next().value ?? unknownDim)))];
  },
  Upsample: resized,
};

/**
 * The shapes of a node's outputs; unknown ones are left out.
 *
 * @throws UsageError if a shape depends on something that is not constant, or the inputs do not fit together.
 */
export function otherDims(node: Node, inputs: readonly Shaped[]): Dims[] {
  if (!isOnnx(node)) return [];
  if (isUnary(node)) return node.outputs.map(() => inputs[0]!.dims);
  if (isElementwise(node)) return [inputs.map(({ dims }) => dims).reduce(broadcastDims)];
  return rules[node.op]?.(inputs, node) ?? [];
}

function all(ops: readonly string[], rule: OtherRule): { [op: string]: OtherRule } {
  return Object.fromEntries(ops.map((op) => [op, rule]));
}

/** The numbers of an attribute; empty if it is absent. */
export const intsOf = ({ attributes }: Node, name: string): number[] => {
  const attribute = attributes.get(name);
  return attribute?.kind === 'int' || attribute?.kind === 'ints' ? [attribute.value].flat() : [];
};

/** Axes are an attribute or, in newer operator sets, the second input. */
function reduced([x, axes]: readonly Shaped[], node: Node): Dims[] {
  const named = axes ? constantInts(axes, 'axes') : intsOf(node, 'axes');
  const gone = new Set(reducedAxes(named, x!.dims, intsOf(node, 'noop_with_empty_axes')[0]));
  const keeps = (intsOf(node, 'keepdims')[0] ?? 1) === 1;
  return [keeps ? x!.dims.map((size, i) => (gone.has(i) ? 1 : size)) : x!.dims.filter((_, i) => !gone.has(i))];
}

function pooled([x]: readonly Shaped[], node: Node): Dims[] {
  const auto = node.attributes.get('auto_pad');
  const window = {
    kernel_shape: intsOf(node, 'kernel_shape'),
    strides: intsOf(node, 'strides'),
    pads: intsOf(node, 'pads'),
    dilations: intsOf(node, 'dilations'),
    auto_pad: auto?.kind === 'string' ? auto.value : 'NOTSET',
    ceil_mode: intsOf(node, 'ceil_mode')[0] ?? 0,
  };
  const dims = [...x!.dims.slice(0, 2), ...resolveWindow(window, x!.dims.slice(2)).output];
  return node.outputs.map(() => dims);
}

/** Resize has a region of interest, scales and sizes; Upsample and the first Resize only have scales. */
function resized(inputs: readonly (Shaped | undefined)[], node: Node): Dims[] {
  const [x, ...rest] = inputs;
  const isOld = node.op === 'Upsample' || inputs.length === 2;
  const [scales, sizes] = isOld ? rest : rest.slice(1);
  if (node.attributes.has('axes')) throw new UsageError('it resizes some axes only.');
  if (sizes) return [constantInts(sizes, 'sizes')];
  const factors = constantInts(scales ?? {}, 'scales');
  return [x!.dims.map((size, axis) => scaled(size, factors[axis]!))];
}

const scaled = (size: Dim, factor: number): Dim => {
  if (typeof size === 'number') return Math.floor(size * factor);
  return factor === 1 ? size : unknownDim;
};

/** Blocks of pixels moved into channels: a factor for height and width, and its square for channels. */
const blocks = ([batch, channels, ...spatial]: Dims, size: number): Dims => [
  batch!,
  scaled(channels!, size ** 2),
  ...spatial.map((each) => scaled(each, 1 / size)),
];
