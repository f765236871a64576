/**
 * Where paths part and meet. Value d dominates value v when every path from the graph's inputs to v passes d; the
 * nearest such d is where the sides of a join started. One sweep suffices, as the graph has no cycles: the nearest
 * dominator of a node's output is where the dominator chains of its inputs meet.
 */
import { type Graph, type Node, reads, type Value } from '../graph/graph.ts';

/** For every value that depends on a graph input its nearest dominator; undefined where only the inputs as a whole are. */
export type Dominators = ReadonlyMap<Value, Value | undefined>;

export function dominators(graph: Graph): Dominators {
  const above = new Map<Value, Value | undefined>();
  const depth = new Map<Value | undefined, number>([[undefined, 0]]);
  const enter = (value: Value, dominator: Value | undefined) => {
    above.set(value, dominator);
    depth.set(value, depth.get(dominator)! + 1);
  };
  const meet = (a: Value | undefined, b: Value | undefined): Value | undefined => {
    while (a !== b) {
      if (depth.get(a)! >= depth.get(b)!) a = above.get(a!);
      else b = above.get(b!);
    }
    return a;
  };
  for (const input of graph.inputs) if (!graph.initializers.has(input)) enter(input, undefined);
  for (const node of graph.sorted()) {
    const data = reads(node).filter((value) => above.has(value));
    if (data.length === 0) continue;
    const dominator = data.reduce<Value | undefined>(meet, data[0]);
    for (const output of node.outputs) enter(output, dominator);
  }
  return above;
}

/** The inputs of a node that are computed from the graph's inputs, unlike weights and other constants. */
export const dataInputs = (node: Node, above: Dominators): Value[] => reads(node).filter((value) => above.has(value));
