/**
 * What ONNX's operators do to the channels of a map [N, C, …], including operators that are only ever rewritten and
 * therefore not in `graph/ops.ts`. A *channelwise* operator treats each channel separately, so it can be applied to
 * branches side by side.
 */
import { type Node, unknownDim } from '../graph/graph.ts';

/** Operators that map each element by itself. */
const unary = [
  ...['Abs', 'Acos', 'Acosh', 'Asin', 'Asinh', 'Atan', 'Atanh', 'Cast', 'Ceil', 'Celu', 'Clip', 'Cos', 'Cosh'],
  ...['Dropout', 'Elu', 'Erf', 'Exp', 'Floor', 'Gelu', 'HardSigmoid', 'HardSwish', 'Identity', 'IsInf', 'IsNaN'],
  ...['LeakyRelu', 'Log', 'Mish', 'Neg', 'Not', 'Reciprocal', 'Relu', 'Round', 'Selu', 'Shrink', 'Sigmoid', 'Sign'],
  ...['Sin', 'Sinh', 'Softplus', 'Softsign', 'Sqrt', 'Swish', 'Tan', 'Tanh', 'ThresholdedRelu'],
];

/** Operators that combine elements of several inputs, which are broadcast to one shape. */
const broadcasting = [
  ...['Add', 'And', 'Div', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Max', 'Mean', 'Min', 'Mod'],
  ...['Mul', 'Or', 'PRelu', 'Pow', 'Sub', 'Sum', 'Where', 'Xor'],
];

const pools = ['AveragePool', 'GlobalAveragePool', 'GlobalLpPool', 'GlobalMaxPool', 'LpPool', 'MaxPool'];
const normalizations = ['BatchNormalization', 'InstanceNormalization'];

/**
 * How a channelwise operator's constants belong to channels: they are the `same` for all (Clip's limits), one number
 * `each` (the vectors of a normalization), or `broadcast` to the map (PRelu's slope).
 */
export type ConstantsOf = 'same' | 'each' | 'broadcast';

const channelwise: ReadonlyMap<string, ConstantsOf> = new Map([
  ...[...unary, ...pools].map((op) => [op, 'same'] as const),
  ...normalizations.map((op) => [op, 'each'] as const),
  ...broadcasting.map((op) => [op, 'broadcast'] as const),
]);

/** How the constants of a channelwise node belong to channels; undefined if the node is not channelwise. */
export function channelwiseConstants(node: Node): ConstantsOf | undefined {
  if (!isOnnx(node)) return undefined;
  return isSpatial(node) ? 'same' : channelwise.get(node.op);
}

/** Whether a node pads or resizes maps, but not their batch or channels. */
function isSpatial({ op, inputs, attributes }: Node): boolean {
  const last = inputs.length === 2 ? 1 : 2;
  const place = op === 'Pad' ? 1 : op === 'Resize' && !inputs[3] ? last : undefined;
  const contents = place === undefined ? undefined : (inputs[place]?.tensor?.data ?? attributes.get('pads')?.value);
  if (!contents || attributes.has('axes') || (op === 'Pad' && inputs[3])) return false;
  const numbers = Array.from(contents as ArrayLike<number | bigint>, Number);
  const [both, neutral] = op === 'Pad' ? [numbers.length / 2, 0] : [0, 1];
  return [0, 1, both, both + 1].every((at) => numbers[at] === neutral);
}

const unaryOps: ReadonlySet<string> = new Set(unary);
const broadcastingOps: ReadonlySet<string> = new Set(broadcasting);

export const isUnary = (node: Node): boolean => isOnnx(node) && unaryOps.has(node.op);
export const isBroadcasting = (node: Node): boolean => isOnnx(node) && broadcastingOps.has(node.op);
export const isElementwise = (node: Node): boolean => isUnary(node) || isBroadcasting(node);

/** Whether a node's operator is ONNX's own. */
export const isOnnx = ({ domain }: Node): boolean => domain === '' || domain === 'ai.onnx';

const comparisons: ReadonlySet<string> = new Set(
  ['And', 'Equal', 'Greater', 'GreaterOrEqual', 'IsInf', 'IsNaN', 'Less', 'LessOrEqual', 'Not', 'Or', 'Xor'], // biome-ignore format: one line
);

/** Whether an elementwise operator's result is true or false. */
export const isComparison = ({ op }: Node): boolean => comparisons.has(op);

/** The number of channels of a map, if it is known. */
export const channelsOf = (dims: readonly (number | string)[] | undefined): number | undefined => {
  const channels = dims?.[1] ?? unknownDim;
  return typeof channels === 'number' ? channels : undefined;
};
