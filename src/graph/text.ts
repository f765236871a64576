/**
 * A graph as text, in the manner of ONNX's own textual syntax, with this package's names of data types: to be read by
 * people, in snapshots and docs.
 */
import { type Attribute, type Dim, type Graph, type Node, unknownDim, type Value } from './graph.ts';

/**
 * The graph as text; it prints nothing itself.
 *
 * @example print(resnext({ depths: [1] }).graph) // resnext (float32[N,3,224,224] input) => (…) … { … }
 */
export function toText(graph: Graph): string {
  const inputs = graph.inputs.map(typed).join(', ');
  const outputs = graph.outputs.map(typed).join(', ');
  const initializers = [...graph.initializers].map((value) => `  ${typed(value)}`).join(',\n');
  const nodes = graph.sorted().map((node) => `  ${printNode(node)}`);
  const parameters = initializers ? `\n<\n${initializers}\n>` : '';
  return `${graph.name} (${inputs}) => (${outputs})${parameters}\n{\n${nodes.join('\n')}\n}\n`;
}

/** One node: `y = Conv <group = 32> (x, w)`. */
export function printNode(node: Node): string {
  const outputs = node.outputs.map(({ name }) => name).join(', ');
  const inputs = node.inputs.map((value) => value?.name ?? '').join(', ');
  const attributes = [...node.attributes].map(([name, attribute]) => `${name} = ${printAttribute(attribute)}`);
  const list = attributes.length > 0 ? ` <${attributes.join(', ')}>` : '';
  return `${outputs} = ${node.domain ? `${node.domain}.` : ''}${node.op}${list} (${inputs})`;
}

const typed = ({ dtype, dims, name }: Value): string => `${dtype ?? '?'}${printDims(dims)} ${name}`;

const printDims = (dims: readonly Dim[] | undefined): string =>
  dims ? `[${dims.map((dim) => (dim === unknownDim ? '?' : dim)).join(',')}]` : '';

function printAttribute({ kind, value }: Attribute): string {
  if (kind === 'opaque') return '…';
  if (kind === 'tensor') return `${value.dtype}[${value.dims.join(',')}]`;
  if (kind === 'string') return JSON.stringify(value);
  return Array.isArray(value) ? `[${value.map((item) => JSON.stringify(item)).join(', ')}]` : String(value);
}
