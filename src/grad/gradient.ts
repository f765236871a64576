/**
 * Reverse-mode differentiation, from graph to graph: one sweep from the loss back to the requested values adds the
 * nodes that compute each gradient. If a value is used more than once, its gradients add up. If it was broadcast, they
 * are summed back to its shape.
 */

import { checkArgument, checkList } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { Builder } from '../graph/builder.ts';
import { describe, type Graph, graphKind, type Node, type Value, valueKind } from '../graph/graph.ts';
import { attributesOf, type Differentiable, isOtherVersion, type OpType, opTypeOf } from '../graph/ops.ts';
import { sizes } from '../graph/shapes.ts';
import { type Rule, rules } from './rules.ts';

/**
 * Adds the gradient of `loss`, a scalar, with respect to each of `wrt`. Running statistics and the targets of a loss
 * count as constants.
 *
 * @returns the gradient for each value of `wrt`, in that value's shape; zeros if the loss does not depend on it.
 * @throws UsageError naming a value on the path whose shape is not fully known, or a node without a gradient.
 * @example const [dw] = gradient(graph, loss, [weight]);
 */
export function gradient(graph: Graph, loss: Value, wrt: readonly Value[]): Value[] {
  checkArgument('graph', graph, graphKind);
  checkArgument('loss', loss, valueKind);
  checkList('wrt', wrt, valueKind);
  const b = new Builder(graph);
  const order = graph.sorted();
  const active = dependents(order, wrt);
  const found = new Map<Value, Value[]>([[loss, [b.number(1, sizes(loss))]]]);
  for (const node of order.reverse()) {
    const dys = node.outputs.map((output) => total(b, found, output));
    if (!active.has(node) || dys.every((dy) => !dy)) continue;
    applyRule(b, node, dys).forEach((dx, i) => {
      const x = node.inputs[i];
      if (dx && x) found.set(x, [...(found.get(x) ?? []), summedTo(b, dx, sizes(x))]);
    });
  }
  return wrt.map((value) => total(b, found, value) ?? b.number(0, sizes(value)));
}

/** The nodes that depend on any of `values`. */
function dependents(order: readonly Node[], values: readonly Value[]): Set<Node> {
  const reached = new Set(values);
  const nodes = new Set<Node>();
  for (const node of order) {
    if (!node.inputs.some((input) => input && reached.has(input))) continue;
    nodes.add(node);
    for (const output of node.outputs) reached.add(output);
  }
  return nodes;
}

/** The sum of a value's gradients so far, stored so that it is only added up once. */
function total(b: Builder, found: Map<Value, Value[]>, value: Value): Value | undefined {
  const parts = found.get(value);
  if (!parts) return undefined;
  const sum = parts.length === 1 ? parts[0]! : b.op(parts.length === 2 ? 'Add' : 'Sum', parts);
  found.set(value, [sum]);
  return sum;
}

function applyRule(b: Builder, node: Node, dys: readonly (Value | undefined)[]): readonly (Value | undefined)[] {
  const op = opTypeOf(node);
  const rule = op && (rules as { readonly [O in OpType]?: Rule<O> })[op];
  if (!op || !rule || isOtherVersion(node, op))
    throw new UsageError(`${describe(node)} has no gradient, but the loss depends on it.`);
  const site = { b, node, inputs: node.inputs as Value[], y: node.outputs[0]!, dy: dys[0]!, dys };
  return (rule as Rule<Differentiable>)({ ...site, attributes: attributesOf(node, op as Differentiable) });
}

/** Undoes broadcasting: sums over the axes that `dims` lacks or has as 1. */
function summedTo(b: Builder, dx: Value, dims: readonly number[]): Value {
  const from = sizes(dx);
  const skip = from.length - dims.length;
  const axes = from.flatMap((size, axis) => (axis < skip || (dims[axis - skip] === 1 && size !== 1) ? [axis] : []));
  if (axes.length === 0) return dx;
  const summed = b.op('ReduceSum', [dx, b.ints(axes)], { keepdims: 0 });
  return sizes(summed).join() === dims.join() ? summed : b.op('Reshape', [summed, b.ints(dims)]);
}
