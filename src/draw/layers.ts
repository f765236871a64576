/**
 * The text in a box: a convolution as the paper writes it, `128, 3x3, 128` with `group = 32` below; other operators by
 * name. Numbers come from the weights, so a graph without shapes can be drawn too.
 */
import type { Dim, Node, Value } from '../graph/graph.ts';
import { attributesOf } from '../graph/ops.ts';
import type { Layer } from './flow.ts';

/** Operators that act on each element or channel separately and are only shown as a tag. */
const tags: Readonly<Record<string, string>> = {
  BatchNormalization: 'BN',
  BatchNormTraining: 'BN',
  Relu: 'ReLU',
  LeakyRelu: 'leaky ReLU',
  Clip: 'clip',
  Sigmoid: 'sigmoid',
  HardSigmoid: 'hard sigmoid',
  HardSwish: 'hard swish',
  Add: 'shift',
  Sub: 'shift',
  Mul: 'scale',
  Div: 'scale',
};

/** The tag of a node with one data input; undefined if the node is a layer of its own. */
export const tagOf = (node: Node): string | undefined => tags[node.op];

/** Channels of a feature map, from its shape or from the convolutions around it. */
export function channelsOf(value: Value): number | undefined {
  const known = value.dims?.[1];
  if (typeof known === 'number') return known;
  const { producer } = value;
  const filters = producer?.op === 'Conv' ? weightDims(producer.inputs[1])[0] : undefined;
  if (typeof filters === 'number') return filters;
  const reader = [...value.users].find((user) => user.op === 'Conv' && user.inputs[0] === value);
  if (reader) return convolutionChannels(reader)?.input;
  const passes = producer !== undefined && (tagOf(producer) !== undefined || producer.op.endsWith('Pool'));
  return passes && producer.inputs[0] ? channelsOf(producer.inputs[0]) : undefined;
}

/** A weight's shape, also when the weight is a Constant node. */
function weightDims(value: Value | undefined): readonly Dim[] {
  const contents = value?.producer?.op === 'Constant' ? value.producer.attributes.get('value') : undefined;
  return value?.dims ?? (contents?.kind === 'tensor' ? contents.value.dims : []);
}

function convolutionChannels(node: Node): { input: number; output: number; kernel: string } | undefined {
  const [filters, perGroup, ...kernel] = weightDims(node.inputs[1]);
  if (typeof filters !== 'number' || typeof perGroup !== 'number') return undefined;
  return { input: perGroup * attributesOf(node, 'Conv').group, output: filters, kernel: kernel.join('x') };
}

export function layerOf(node: Node, value: Value): Layer {
  if (node.op === 'Conv') return convolutionLayer(node);
  return { kind: 'layer', lines: linesOf(node, value), groups: 1, convolution: false };
}

function convolutionLayer(node: Node): Layer {
  const { group, strides, dilations, kernel_shape } = attributesOf(node, 'Conv');
  const shape = convolutionChannels(node);
  const line = shape ? `${shape.input}, ${shape.kernel}, ${shape.output}` : `Conv ${kernel_shape.join('x')}`;
  const special = [
    ...(group > 1 ? [`group = ${group}`] : []),
    ...(isMore(strides) ? [`stride ${plain(strides)}`] : []),
    ...(isMore(dilations) ? [`dilation ${plain(dilations)}`] : []),
  ];
  const lines = special.length > 0 ? [line, special.join(', ')] : [line];
  return { kind: 'layer', lines, groups: group, convolution: true };
}

const isMore = (steps: readonly number[]): boolean => steps.some((step) => step !== 1);
/** `2` for [2, 2]. */
const plain = (steps: readonly number[]): string =>
  steps.every((step) => step === steps[0]) ? `${steps[0]}` : steps.join('x');

function linesOf(node: Node, value: Value): string[] {
  switch (node.op) {
    case 'AveragePool':
    case 'MaxPool': {
      const { kernel_shape, strides } = attributesOf(node, node.op);
      if (!isMore(kernel_shape) && isMore(strides)) return [`every ${ordinal(strides[0]!)} pixel`];
      const name = node.op === 'MaxPool' ? 'max pool' : 'average pool';
      return [`${name} ${kernel_shape.join('x')}`, ...(isMore(strides) ? [`stride ${plain(strides)}`] : [])];
    }
    case 'GlobalAveragePool':
      return ['average pool'];
    case 'Pad':
      return padLines(channelsOf(node.inputs[0]!), channelsOf(value));
    case 'Split':
    case 'Slice':
      return [`${channelsOf(value) ?? '?'} of ${channelsOf(node.inputs[0]!) ?? '?'} channels`];
    default:
      return [node.op];
  }
}

/** Padding adds channels in a shortcut, and a border elsewhere. */
const padLines = (before: number | undefined, after: number | undefined): string[] =>
  before === undefined || after === undefined || before === after
    ? ['pad']
    : ['pad with zeros', `${before} to ${after}`];

const ordinal = (n: number): string => (n === 2 ? '2nd' : n === 3 ? '3rd' : `${n}th`);
