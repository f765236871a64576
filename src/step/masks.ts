/**
 * Drop path and dropout: parts of a network that are left out at random during training. Each is a multiplication with a
 * mask, an input of the step, which is 0 where something is dropped and 1/(1 − rate) elsewhere, so that the mean stays the
 * same.
 *
 *   drop path  (Huang et al., 2016, stochastic depth)  mask [B, 1, 1, 1] on the branch of block j of n, before the shortcut
 *              is added; its rate is rate · j/(n − 1), so the first block is never dropped, as in timm
 *   dropout    (Srivastava et al., 2014)               mask [B, F] on the input of the classifier
 *
 * Both places are found by structure. A block ends in an addition of two values with different numbers of convolutions
 * before them: the branch has more of them than the shortcut. Frozen blocks and a frozen classifier are never masked.
 */
import { UsageError } from '../errors.ts';
import { Builder } from '../graph/builder.ts';
import type { Graph, Node, Value } from '../graph/graph.ts';
import { opTypeOf } from '../graph/ops.ts';
import { sizes } from '../graph/shapes.ts';
import { generator, purposes, words } from '../random.ts';

export interface MaskOptions {
  /** Drop path: the rate of the last block. Default: 0. */
  readonly dropPath?: number;
  /** Dropout of the classifier's input. Default: 0. */
  readonly dropout?: number;
}

/** A mask of a training step, an input of its graph. */
export interface Mask {
  readonly name: string;
  readonly kind: 'dropPath' | 'dropout';
  /** The block, counted from 0 over the whole network; 0 for the classifier. */
  readonly block: number;
  /** The probability of an element to be 0. */
  readonly rate: number;
}

/** @param trained the parameters that are not frozen. */
export function insertMasks(
  graph: Graph,
  trained: ReadonlySet<Value>,
  { dropPath = 0, dropout = 0 }: MaskOptions,
): Mask[] {
  const masks: Mask[] = [];
  if (dropPath > 0) {
    const sums = residualSums(graph);
    for (const [block, { node, branch, shortcut }] of sums.entries()) {
      const rate = (dropPath * block) / Math.max(1, sums.length - 1);
      if (rate === 0 || !isTrained(branch, shortcut, trained)) continue;
      masks.push(insert(graph, node, branch, [1, 1, 1], { kind: 'dropPath', block, rate }));
    }
  }
  if (dropout > 0) {
    const classifier = classifierOf(graph);
    const features = classifier.inputs[0]!;
    const isFrozen = !classifier.inputs.some((input) => input && trained.has(input));
    if (!isFrozen) {
      masks.push(
        insert(graph, classifier, features, sizes(features).slice(1), { kind: 'dropout', block: 0, rate: dropout }),
      );
    }
  }
  return masks;
}

/** Multiplies what a node reads with a new input [B, …]. */
function insert(graph: Graph, reader: Node, value: Value, dims: readonly number[], about: Omit<Mask, 'name'>): Mask {
  const b = new Builder(graph);
  const name = about.kind === 'dropPath' ? `dropPath.${about.block}` : 'dropout';
  const mask = b.input(name, [sizes(value)[0]!, ...dims]);
  const masked = b.op('Mul', [value, mask], {}, `${name}.mul`);
  graph.setInput(reader, reader.inputs.indexOf(value), masked);
  return { name, ...about };
}

interface ResidualSum {
  readonly node: Node;
  readonly branch: Value;
  readonly shortcut: Value;
}

/** The additions at the ends of blocks, in order. */
function residualSums(graph: Graph): ResidualSum[] {
  const before = new Map<Value, number>(); // most convolutions on a path to a value
  const count = (value: Value | undefined): number => (value && before.get(value)) ?? 0;
  const sums: ResidualSum[] = [];
  for (const node of graph.sorted()) {
    const own = opTypeOf(node) === 'Conv' ? 1 : 0;
    for (const output of node.outputs) before.set(output, own + Math.max(0, ...node.inputs.map(count)));
    const [left, right] = node.inputs;
    if (opTypeOf(node) !== 'Add' || !left?.producer || !right?.producer || count(left) === count(right)) continue;
    if (left.dims?.length !== 4 || left.dims.join() !== right.dims?.join()) continue;
    const [branch, shortcut] = count(left) > count(right) ? [left, right] : [right, left];
    sums.push({ node, branch, shortcut });
  }
  return sums;
}

/** Whether a branch has a trained parameter. Nodes that the shortcut depends on too are not part of it. */
function isTrained(branch: Value, shortcut: Value, trained: ReadonlySet<Value>): boolean {
  const others = ancestorsOf(shortcut, new Set());
  return [...ancestorsOf(branch, others)].some((node) => node.inputs.some((input) => input && trained.has(input)));
}

/** The nodes that a value depends on, but for `without` and what only those depend on. */
function ancestorsOf(value: Value, without: ReadonlySet<Node>): Set<Node> {
  const found = new Set<Node>();
  const open = [value.producer];
  for (let node = open.pop(); node || open.length > 0; node = open.pop()) {
    if (!node || found.has(node) || without.has(node)) continue;
    found.add(node);
    open.push(...node.inputs.map((input) => input?.producer));
  }
  return found;
}

/** The last linear layer. */
function classifierOf(graph: Graph): Node {
  const isLinear = (node: Node): boolean => ['Gemm', 'MatMul'].includes(opTypeOf(node) ?? '');
  const classifier = graph.sorted().findLast(isLinear);
  if (classifier) return classifier;
  throw new UsageError('dropout needs a classifier, but the graph has no linear layer. Remove it.');
}

/**
 * Draws a mask of a step. It depends on the seed, the step and the mask alone.
 *
 * @param data to be filled: one number for each image, or for each image and feature.
 * @param step counted from 0.
 * @example for (const mask of masks) drawMask(mask, arrays.get(mask.name)!, seed, step);
 */
export function drawMask({ kind, block, rate }: Mask, data: Float32Array, seed: number, step: number): void {
  const random = generator([purposes[kind], ...words(seed), step, block]);
  const kept = 1 / (1 - rate);
  for (let i = 0; i < data.length; i++) data[i] = random.float() < rate ? 0 : kept;
}
