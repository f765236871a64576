/** Sums: a Sum, or a chain of Adds and Sums. */
import type { Graph, Node, Value } from '../graph/graph.ts';
import { opTypeOf } from '../graph/ops.ts';

const isSum = (node: Node): boolean => opTypeOf(node) === 'Sum' || opTypeOf(node) === 'Add';

/** Whether a sum has a single reader and may thus be a link in a chain. A chain is matched at its last sum. */
const isLink = (graph: Graph, { outputs: [y] }: Node): boolean => y!.users.size === 1 && !graph.outputs.includes(y!);

/** Whether a node is the last sum of its chain. */
export const isLastSum = (graph: Graph, node: Node): boolean =>
  isSum(node) && !(isLink(graph, node) && [...node.outputs[0]!.users].some(isSum));

/** The terms of a chain of sums, in order. A sum that its reader adds several times is a term itself. */
export function addends(graph: Graph, node: Node): (Value | undefined)[] {
  const terms: (Value | undefined)[] = [];
  const open: (Value | undefined)[] = [];
  const repeated = new Set<Value | undefined>();
  const expand = ({ inputs }: Node) => {
    const met = new Set<Value | undefined>();
    for (const value of inputs.toReversed()) {
      if (met.has(value)) repeated.add(value);
      met.add(value);
      open.push(value);
    }
  };
  expand(node);
  while (open.length > 0) {
    const value = open.pop();
    const producer = repeated.has(value) ? undefined : value?.producer;
    if (producer && isSum(producer) && isLink(graph, producer)) expand(producer);
    else terms.push(value);
  }
  return terms;
}

/** A scalar zero, which Python's `sum` starts from. */
export const isZero = (graph: Graph, value: Value): boolean =>
  graph.initializers.has(value) && value.tensor?.data.length === 1 && Number(value.tensor.data[0]) === 0;
