/**
 * Lowers a training step to what ONNX Runtime's CPU provider runs fastest: convolutions, normalizations and everything
 * between them in its blocked layout, in as few passes over memory as possible. Nodes without a rule are expanded to
 * standard operators, so for any network the result equals that of `lowerStandard` up to rounding.
 *
 * Each file in `blocked/` opens with its algebra; docs/performance.md lists what each rule gains.
 */

import { UsageError } from '../errors.ts';
import { Builder } from '../graph/builder.ts';
import { describe, Graph, type Node, Value } from '../graph/graph.ts';
import { attributesOf, isOtherVersion, isSemantic, type OpType, opTypeOf, semanticDomain } from '../graph/ops.ts';
import { isUpdate } from '../graph/updates.ts';
import { convolution, convolutionInputGradient } from './blocked/convolution.ts';
import { addition, globalAverage, product, relu, reluGradient, softmaxCrossEntropy } from './blocked/elementwise.ts';
import { convolutionWeightGradient } from './blocked/filter-gradient.ts';
import { BlockedNodes } from './blocked/nodes.ts';
import { normalization, normalizationGradient } from './blocked/normalization.ts';
import { maxPool, maxPoolGradient } from './blocked/pooling.ts';
import { type Representation, Representations } from './blocked/representations.ts';
import type { Rule } from './blocked/rules.ts';
import { updateStatistics, updateVectors } from './blocked/updates.ts';
import { expandSemantic } from './standard.ts';

const rules: { readonly [O in OpType]?: Rule<O> } = {
  Add: addition,
  BatchNormGrad: normalizationGradient,
  BatchNormTraining: normalization,
  Conv: convolution,
  ConvInputGrad: convolutionInputGradient,
  ConvWeightGrad: convolutionWeightGradient,
  GlobalAveragePool: globalAverage,
  MaxPool: maxPool,
  MaxPoolGrad: maxPoolGradient,
  Mul: product,
  Relu: relu,
  ReluGrad: reluGradient,
  SoftmaxCrossEntropy: softmaxCrossEntropy,
};

/**
 * Lowers a training step to blocks of `block` channels. The result computes the same.
 *
 * @param block block size of the runtime's layout, from `thisMachine`.
 * @throws UsageError naming a value whose shape must be fully known but is not, a node with a subgraph, or an output of
 *   the step that another node reads.
 * @example const fast = lowerBlocked(trainingStep(model.graph, options).graph, 16);
 */
export function lowerBlocked(source: Graph, block: number): Graph {
  const b = new Builder(new Graph(source.name));
  b.graph.avoidNames(source);
  for (const [domain, version] of source.opsets) if (domain !== semanticDomain) b.graph.opsets.set(domain, version);
  for (const [key, text] of source.metadata) b.graph.metadata.set(key, text);
  const layouts = new Representations(new BlockedNodes(b, block));
  const copied = (value: Value): Value => {
    const copy = new Value(value.name, value.dtype, value.dims);
    copy.tensor = value.tensor;
    layouts.set(value, { plain: copy });
    return copy;
  };
  b.graph.inputs.push(...source.inputs.map(copied));
  for (const value of source.initializers) {
    const copy = source.inputs.includes(value) ? layouts.plain(value) : copied(value);
    b.graph.initializers.add(copy);
  }
  const outputs = new Set(source.outputs);
  const order = source.sorted();
  for (const node of order) {
    if (isUpdate(opTypeOf(node))) continue;
    const forms = lowerNode(layouts, node, outputs) ?? standardNode(layouts, node);
    for (const [i, output] of node.outputs.entries()) layouts.set(output, forms[i]!);
  }
  updateStatistics(layouts);
  const updates = order.filter((node) => isUpdate(opTypeOf(node)));
  const isAverage = (node: Node): boolean => opTypeOf(node) === 'MovingAverage';
  updateVectors(
    layouts,
    updates.filter((node) => !isAverage(node)),
  );
  updateVectors(layouts, updates.filter(isAverage)); // averages read the updated state
  for (const output of source.outputs) b.graph.outputs.push(named(b, layouts.plain(output), output.name));
  b.graph.removeDead();
  return b.graph;
}

function lowerNode(
  layouts: Representations,
  node: Node,
  outputs: ReadonlySet<Value>,
): readonly Representation[] | undefined {
  const op = opTypeOf(node);
  const rule = op && (rules[op] as Rule<OpType> | undefined);
  if (!op || !rule || isOtherVersion(node, op)) return undefined;
  const attributes = attributesOf(node, op);
  const isOnlyReader = (value: Value): boolean =>
    value.users.size === 1 && value.users.has(node) && !outputs.has(value);
  const inputs = node.inputs as Value[];
  return rule({ layouts, n: layouts.nodes, node, inputs, attributes, outputs, isOnlyReader });
}

function standardNode(layouts: Representations, node: Node): Representation[] {
  const { b } = layouts.nodes;
  if (node.captures.length > 0)
    throw new UsageError(`${describe(node)} has a subgraph, which is not supported in a training step.`);
  const inputs = node.inputs.map((value) => value && layouts.plain(value));
  const op = opTypeOf(node);
  if (op && isSemantic(op)) return expandSemantic(b, op, inputs as Value[], node).map((plain) => ({ plain }));
  const outputs = node.outputs.map(({ dtype, dims }) => new Value(b.graph.freshName(node.op), dtype, dims));
  const { domain, name, attributes, origin } = node;
  b.graph.add({ op: node.op, domain, name, attributes, origin, inputs, outputs });
  return outputs.map((plain) => ({ plain }));
}

/** The value with the output's name. An input, or another output, gets that name through an Identity. */
function named(b: Builder, value: Value, name: string): Value {
  if (value.name === name) return value;
  const isFree = value.producer && !b.graph.outputs.includes(value);
  const output = isFree ? value : b.op('Identity', [value]);
  output.name = name;
  return output;
}
