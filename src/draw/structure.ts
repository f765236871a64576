/**
 * The structure of a residual block, for drawing: chains of layers that split and join. It is read from the graph
 * itself, so it does not matter who made the graph or which form the block has:
 *
 *   A       [parallel: G × (1x1 → 3x3 → 1x1), added]
 *   B       [parallel: G × (1x1 → 3x3), concatenated] → 1x1
 *   C       1x1 → 3x3 in groups → 1x1
 *   bridge  [parallel: G × (1x1), concatenated] → 3x3 in groups → 1x1
 *
 * Names are only used to select a block.
 */
import { UsageError } from '../errors.ts';
import type { Graph, Node, Value } from '../graph/graph.ts';
import { type Dominators, dataInputs, dominators } from './dominators.ts';
import type { Flow, Layer, Part, Tag } from './flow.ts';
import { channelsOf, layerOf, tagOf } from './layers.ts';

export interface BlockStructure {
  readonly name: string;
  readonly input: Size;
  readonly output: Size;
  readonly residual: Flow;
  /** The branch added at the end: an empty flow is the input itself; undefined means that nothing is added. */
  readonly shortcut: Flow | undefined;
  /** The tags after the last sum. */
  readonly after: readonly Tag[];
}

export interface Size {
  readonly channels: number | undefined;
  /** Height and width, if the graph knows them. */
  readonly map: readonly number[] | undefined;
}

/** The sum that ends a block. */
export interface BlockEnd {
  readonly name: string;
  readonly node: Node;
}

/** A drawing with more parts is unreadable. A network whose paths cross repeatedly reaches this limit quickly. */
const maxParts = 20_000;

/** The residual blocks of a graph in order: sums whose terms start at one value, except those inside another block. */
export function findBlocks(graph: Graph, above: Dominators = dominators(graph)): BlockEnd[] {
  const inside = new Set<Node>();
  const blocks: BlockEnd[] = [];
  for (const node of graph.sorted().reverse()) {
    if (inside.has(node) || !endsBlock(node, above)) continue;
    for (const member of membersOf(node, above)) inside.add(member);
    blocks.unshift({ name: blockName(node), node });
  }
  return blocks;
}

/** Whether a node adds values that start at one value. */
export const endsBlock = (node: Node, above: Dominators): boolean =>
  isSum(node) && dataInputs(node, above).length > 1 && above.get(node.outputs[0]!) !== undefined;

/** Reads the block that ends at a sum. */
export function readBlock(
  { name, node }: BlockEnd,
  graph: Graph,
  above: Dominators = dominators(graph),
): BlockStructure {
  const start = above.get(node.outputs[0]!)!;
  const read = flowReader(name, graph, above);
  const terms = addends(node, graph, above).map((value) => read(value, start));
  const shortcut = shortcutOf(terms);
  const others = terms.filter((_, i) => i !== shortcut);
  const { after, end } = afterSum(node.outputs[0]!, graph, above);
  return {
    name,
    input: sizeOf(start),
    output: sizeOf(end),
    residual: others.length === 1 ? others[0]! : [{ kind: 'parallel', branches: others, join: '+' }],
    shortcut: shortcut === undefined ? undefined : terms[shortcut],
    after,
  };
}

const isSum = (node: Node): boolean => node.op === 'Add' || node.op === 'Sum';

/** The nodes between a join and the value where its branches start. */
function membersOf(join: Node, above: Dominators): Set<Node> {
  const start = above.get(join.outputs[0]!);
  const members = new Set<Node>([join]);
  for (const node of members) {
    for (const value of dataInputs(node, above)) if (value !== start && value.producer) members.add(value.producer);
  }
  return members;
}

/** `layer2.1` for `layer2.1.add` and for `/layer2/layer2.1/Add`; the sum's own name if it has no path. */
function blockName(node: Node): string {
  const name = node.name || node.outputs[0]!.name;
  const path = name.split('/').filter((part) => part !== '');
  return path.length > 1 ? path.at(-2)! : name.replace(/(.)\.[^.]*$/, '$1');
}

/** The terms of a sum, including those of nested sums that have no other reader. */
function addends(node: Node, graph: Graph, above: Dominators): Value[] {
  return dataInputs(node, above).flatMap((value) => {
    const { producer } = value;
    const nested = producer && isSum(producer) && value.users.size === 1 && !graph.outputs.includes(value);
    return nested && dataInputs(producer, above).length > 1 ? addends(producer, graph, above) : [value];
  });
}

/** Returns a function that reads the flow from one value down to another. */
function flowReader(block: string, graph: Graph, above: Dominators): (end: Value, start: Value) => Flow {
  let parts = 0;
  return function read(end, start): Flow {
    const flow: Part[] = [];
    for (let value = end; value !== start; ) {
      const node = value.producer!;
      if (++parts > maxParts) {
        throw new UsageError(
          `Block "${block}" has more than ${maxParts} parts, too many to draw; name the Add of a smaller block.`,
        );
      }
      const data = isSum(node) ? addends(node, graph, above) : dataInputs(node, above);
      if (data.length === 1) {
        flow.unshift(...single(node, value));
        value = data[0]!;
        continue;
      }
      const origin = above.get(value)!;
      flow.unshift({ kind: 'parallel', branches: data.map((side) => read(side, origin)), join: joinOf(node) });
      value = origin;
    }
    return flow;
  };
}

/** Operators that pass a single input through. The other inputs of Dropout are settings. */
const passThrough: ReadonlySet<string> = new Set(['Concat', 'Dropout', 'Identity', 'Sum']);

function single(node: Node, value: Value): Part[] {
  if (passThrough.has(node.op) && (node.inputs.length === 1 || node.op === 'Dropout')) return [];
  const tag = tagOf(node);
  if (tag !== undefined) return [{ kind: 'tag', text: tag }];
  const layer: Layer = layerOf(node, value);
  const biased = layer.convolution && node.inputs[2] !== undefined;
  return biased ? [layer, { kind: 'tag', text: 'bias' }] : [layer];
}

const joins: Readonly<Record<string, string>> = { Add: '+', Sum: '+', Mul: '×', Concat: 'concatenate' };
const joinOf = (node: Node): string => joins[node.op] ?? node.op;

/**
 * The index of the shortcut among the terms of the last sum: the input itself, else the term with the fewest
 * convolutions.
 */
function shortcutOf(terms: readonly Flow[]): number | undefined {
  if (areAlike(terms)) return undefined;
  const lengths = terms.map(depth);
  const min = Math.min(...lengths);
  const identity = terms.findIndex((term) => term.length === 0);
  return identity >= 0 ? identity : lengths.lastIndexOf(min);
}

const depth = (flow: Flow): number =>
  flow.reduce((sum, part) => {
    if (part.kind === 'parallel') return sum + Math.max(...part.branches.map(depth));
    return sum + (part.kind === 'layer' && part.convolution ? 1 : 0);
  }, 0);

/** Whether flows are drawn the same. Slices of one value are alike wherever they start. */
export function areAlike(flows: readonly Flow[]): boolean {
  const [first, ...others] = flows.map((flow) => JSON.stringify(flow));
  return others.every((flow) => flow === first);
}

/** Batch normalization and activations after the last sum, up to the first value that has other readers. */
function afterSum(sum: Value, graph: Graph, above: Dominators): { after: Tag[]; end: Value } {
  const after: Tag[] = [];
  let end = sum;
  while (end.users.size === 1 && !graph.outputs.includes(end)) {
    const [user] = end.users;
    const text = user && tagOf(user);
    if (text === undefined || dataInputs(user!, above).length !== 1) break;
    after.push({ kind: 'tag', text });
    end = user!.outputs[0]!;
  }
  return { after, end };
}

function sizeOf(value: Value): Size {
  const map = value.dims?.slice(2).filter((dim) => typeof dim === 'number');
  return { channels: channelsOf(value), map: map?.length === 2 ? map : undefined };
}
