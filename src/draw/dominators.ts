/**
 * Where paths split and join. Value d dominates value v if every path from the graph's inputs to v passes through d.
 * The nearest such d is where the branches of a join started. The graph has no cycles, so one sweep is enough: the
 * nearest dominator of a node's output is where the dominator chains of its inputs meet.
 */
import { type Graph, type Node, reads, type Value } from '../graph/graph.ts';

/** The nearest dominator of every value that depends on a graph input; undefined if there is no single one. */
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

/** The inputs of a node that depend on the graph's inputs, as opposed to weights and other constants. */
export const dataInputs = (node: Node, above: Dominators): Value[] => reads(node).filter((value) => above.has(value));
