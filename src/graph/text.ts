/**
 * Prints a graph as text for people, snapshots and docs. The format resembles ONNX's own textual syntax, with this
 * package's names for data types.
 */
import { checkArgument } from '../arguments.ts';
import { type Attribute, type Dim, type Graph, graphKind, type Node, unknownDim, type Value } from './graph.ts';

/**
 * Formats a graph as text.
 *
 * @example toText(resnext({ depths: [1] }).graph) // resnext (float32[N,3,224,224] input) => (…) … { … }
 */
export function toText(graph: Graph): string {
  checkArgument('graph', graph, graphKind);
  const inputs = graph.inputs.map(typed).join(', ');
  const outputs = graph.outputs.map(typed).join(', ');
  const initializers = [...graph.initializers].map((value) => `  ${typed(value)}`).join(',\n');
  const nodes = graph.sorted().map((node) => `  ${nodeToText(node)}`);
  const parameters = initializers ? `\n<\n${initializers}\n>` : '';
  return `${graph.name} (${inputs}) => (${outputs})${parameters}\n{\n${nodes.join('\n')}\n}\n`;
}

/** One node: `y = Conv <group = 32> (x, w)`. */
export function nodeToText(node: Node): string {
  const outputs = node.outputs.map(({ name }) => name).join(', ');
  const inputs = node.inputs.map((value) => value?.name ?? '').join(', ');
  const attributes = [...node.attributes].map(([name, attribute]) => `${name} = ${attributeToText(attribute)}`);
  const list = attributes.length > 0 ? ` <${attributes.join(', ')}>` : '';
  return `${outputs} = ${node.domain ? `${node.domain}.` : ''}${node.op}${list} (${inputs})`;
}

const typed = ({ dtype, dims, name }: Value): string => `${dtype ?? '?'}${dimsToText(dims)} ${name}`;

const dimsToText = (dims: readonly Dim[] | undefined): string =>
  dims ? `[${dims.map((dim) => (dim === unknownDim ? '?' : dim)).join(',')}]` : '';

function attributeToText({ kind, value }: Attribute): string {
  if (kind === 'opaque') return '…';
  if (kind === 'tensor') return `${value.dtype}[${value.dims.join(',')}]`;
  if (kind === 'string') return JSON.stringify(value);
  return Array.isArray(value) ? `[${value.map((item) => JSON.stringify(item)).join(', ')}]` : String(value);
}
