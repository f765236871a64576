/**
 * The updates at the end of a step: of all parameters, of the running statistics, and of their averages. Networks have
 * many short vectors (two parameters and two statistics per normalization), and starting a node takes longer than
 * updating such a vector. So short vectors are joined, updated as one and split again.
 */
import type { Node, Value } from '../../graph/graph.ts';
import { attributesOf, opTypeOf } from '../../graph/ops.ts';
import { sizes } from '../../graph/shapes.ts';
import type { UpdateOp } from '../../graph/updates.ts';
import { elements, tensor } from '../../tensor.ts';
import { type Body, type Plus, updateBodies } from '../updates.ts';
import type { BlockedNodes } from './nodes.ts';
import type { Representations, Statistic } from './representations.ts';

/** Vectors up to this long are joined. */
const maxJoined = 4096;

/**
 * Lowers nodes of `graph/updates.ts`: long vectors separately, short ones with equal settings together.
 *
 * ONNX Runtime starts with the nodes that the last node without readers depends on, then continues backward. So the
 * joined update, which needs every gradient, is added first, and the last layer's parameter last. A layer's weight
 * gradient is then computed while its maps are still in the cache, and the maps are freed before the gradients of the
 * layers below are allocated.
 */
export function updateVectors(layouts: Representations, nodes: readonly Node[]): void {
  const groups = new Map<string, Node[]>();
  for (const node of nodes) {
    const key = sizes(node.inputs[0]!)[0]! <= maxJoined ? settingsOf(node) : node.name;
    groups.set(key, [...(groups.get(key) ?? []), node]);
  }
  const joinedFirst = [...groups.values()].sort((a, b) => b.length - a.length);
  for (const group of joinedFirst) updateTogether(layouts, group);
}

const isScalar = (value: Value): boolean => sizes(value).length === 0;

/** Nodes can be joined if this is equal: the operator, its attributes and its scalars. */
function settingsOf(node: Node): string {
  const op = opTypeOf(node)!;
  const scalars = (node.inputs as Value[]).filter(isScalar).map(({ name }) => name);
  return [op, ...scalars, ...Object.values(attributesOf(node, op))].join();
}

function updateTogether(layouts: Representations, nodes: readonly Node[]): void {
  const first = nodes[0]!;
  const inputs = (first.inputs as Value[]).map((input, i) =>
    isScalar(input)
      ? layouts.plain(input)
      : joined(
          layouts,
          nodes.map((node) => layouts.plain(node.inputs[i]!)),
        ),
  );
  const results = updated(layouts.nodes, first, inputs);
  for (const [i, result] of results.entries()) {
    const outputs = nodes.map((node) => node.outputs[i]!);
    splitAmong(layouts, result, outputs);
  }
}

function updated(n: BlockedNodes, node: Node, inputs: readonly Value[]): readonly Value[] {
  const op = opTypeOf(node) as UpdateOp;
  const body = updateBodies[op] as Body<UpdateOp>;
  return body(n.b, inputs, attributesOf(node, op), inOnePass(n, sizes(inputs[0]!)[0]!));
}

/** Computes factor · x + y in one pass, in place of y, if vectors of this length fill blocks. */
function inOnePass(n: BlockedNodes, length: number): Plus | undefined {
  const dims = blockedVector(length, n.block);
  if (!dims) return undefined;
  return (x, factor, y) =>
    n.reshape(n.affine(n.reshape(x, dims), n.b.number(factor, [n.block]), { plus: n.reshape(y, dims) }), [length]);
}

/** Dimensions that make a vector one block of channels, with rows for the threads to share; undefined if none do. */
function blockedVector(length: number, block: number): readonly number[] | undefined {
  const pixels = length / block;
  for (let width = 256; width >= 16; width--) if (pixels % width === 0) return [1, block, pixels / width, width];
  return undefined;
}

export function updateStatistics(layouts: Representations): void {
  const { statistics } = layouts;
  if (statistics.length === 0) return;
  const { b } = layouts.nodes;
  const perEntry = (of: (statistic: Statistic) => number): Value => {
    const values = statistics.flatMap((statistic) =>
      new Array<number>(elements(sizes(statistic.old))).fill(of(statistic)),
    );
    return b.constant(tensor('float32', [values.length], Float32Array.from(values)));
  };
  const kept = b.op('Mul', [
    joined(
      layouts,
      statistics.map(({ old }) => layouts.plain(old)),
    ),
    perEntry((s) => 1 - s.momentum),
  ]);
  const share = perEntry(({ momentum, factor }) => momentum * factor);
  const moved = b.op('Add', [
    kept,
    b.op('Mul', [
      joined(
        layouts,
        statistics.map(({ now }) => now),
      ),
      share,
    ]),
  ]);
  splitAmong(
    layouts,
    moved,
    statistics.map(({ next }) => next),
  );
}

const joined = ({ nodes: n }: Representations, vectors: readonly Value[]): Value =>
  vectors.length === 1 ? vectors[0]! : n.b.op('Concat', vectors, { axis: 0 });

/** Splits the joined vector among the outputs. */
function splitAmong(layouts: Representations, vector: Value, outputs: readonly Value[]): void {
  const { nodes: n } = layouts;
  const lengths = outputs.map((output) => elements(sizes(output)));
  const parts =
    outputs.length === 1 ? [vector] : n.b.node('Split', [vector, n.ints(lengths)], { axis: 0 }, lengths.length).outputs;
  for (const [i, output] of outputs.entries()) layouts.set(output, { plain: parts[i]! });
}
