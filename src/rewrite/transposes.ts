/**
 * Networks from frameworks with channels last have a Transpose before and after each convolution. The two between one
 * convolution and the next cancel, once what is between them is done in the other order of axes:
 *
 *   f(Tx)  =  T f(x)       concat(Tx, Ty)  =  T concat(x, y)       split(x) then T  =  split(Tx)
 *
 * So Transposes move down through elementwise operators and Concat, up through Split, Slice and Pad, and meet.
 */
import type { Builder } from '../graph/builder.ts';
import { type Attribute, describe, type Node, type Value } from '../graph/graph.ts';
import { constantInts, fromFront, permutation } from '../graph/shapes.ts';
import { fromNumbers, type Tensor } from '../tensor.ts';
import { canTakeName } from './cleanup.ts';
import { copyNode, copyOf, transposeTensor } from './constants.ts';
import { isBroadcasting, isElementwise, isOnnx } from './operators.ts';
import { intsOf } from './other-shapes.ts';
import { mapsOf } from './paths.ts';
import type { Rule } from './rewriter.ts';
import { inputsOf } from './shapes.ts';

/** Equal Transposes of one value are one. */
export const shareTransposes: Rule = {
  name: 'equal transposes shared',
  apply(b, node) {
    const perm = permOf(node);
    if (!perm || b.graph.outputs.includes(node.outputs[0]!)) return undefined;
    const first = transposed(b, node.inputs[0]!, perm);
    if (first.producer === node) return undefined;
    b.graph.replaceAllUses(node.outputs[0]!, first);
    return { done: `replaced ${describe(node)} by an equal one.` };
  },
};

/** T₂ T₁ x is one Transpose, or nothing. */
export const joinTransposes: Rule = {
  name: 'transposes joined',
  apply(b, node) {
    const first = node.inputs[0]?.producer;
    const [outer, inner] = [permOf(node), first && permOf(first)];
    if (!outer || !first) return undefined;
    const perm = inner ? outer.map((axis) => inner[axis]!) : outer;
    const source = (inner ? first : node).inputs[0]!;
    const isIdle = perm.every((axis, i) => axis === i);
    if (
      (!inner && !isIdle) ||
      (b.graph.outputs.includes(node.outputs[0]!) && isIdle && !canTakeName(b.graph, source))
    ) {
      return undefined;
    }
    b.graph.replaceAllUses(node.outputs[0]!, isIdle ? source : transposed(b, source, perm));
    return { done: `joined ${describe(node)} with the one before.` };
  },
};

/** Down through elementwise operators and Concat whose maps are all transposed alike. */
export const lowerTransposes: Rule = {
  name: 'transpose moved down',
  apply(b, node) {
    const isConcat = isOnnx(node) && node.op === 'Concat';
    if (!(isConcat || isElementwise(node)) || node.outputs.slice(1).some(({ users }) => users.size > 0))
      return undefined;
    const maps = isBroadcasting(node) || isConcat ? mapsOf(b.graph, node) : [node.inputs[0]!];
    const perm = maps[0]?.producer && permOf(maps[0].producer);
    if (!perm || !maps.every(({ producer }) => producer && `${permOf(producer)}` === `${perm}`)) return undefined;
    const inputs = node.inputs.map((value) => {
      if (value && maps.includes(value)) return value.producer!.inputs[0];
      return isBroadcasting(node) && value ? turnedBack(b, value, perm) : value;
    });
    const attributes = new Map<string, Attribute>(node.attributes);
    if (isConcat) attributes.set('axis', { kind: 'int', value: perm.at(intsOf(node, 'axis')[0] ?? 0)! });
    if (inputs.some((value, i) => !value && node.inputs[i])) return undefined;
    const moved = copyOf(b, node, { inputs, attributes, name: node.name || undefined });
    b.graph.replaceAllUses(node.outputs[0]!, transposed(b, moved, perm));
    return { done: `moved a transpose below ${describe(node)}.` };
  },
};

/** Up through Split, Slice and Pad whose results are all transposed alike. */
export const raiseTransposes: Rule = {
  name: 'transpose moved up',
  apply(b, node) {
    const move = isOnnx(node) ? movesUp[node.op] : undefined;
    const [x] = node.inputs;
    const readers = move ? node.outputs.flatMap(({ users }) => [...users]) : [];
    const perm = readers[0] && permOf(readers[0]);
    if (!x || !move || !perm || node.outputs.some((value) => b.graph.outputs.includes(value))) return undefined;
    if (!readers.every((reader) => `${permOf(reader)}` === `${perm}`)) return undefined;
    const moved = move(node, perm, b);
    if (!moved) return undefined;
    const inputs = [transposed(b, x, perm), ...moved.inputs];
    const attributes = new Map<string, Attribute>([...node.attributes, ...moved.attributes]);
    const parts = copyNode(b, node, { inputs, attributes, name: node.name || undefined }).outputs;
    for (const [i, output] of node.outputs.entries()) {
      for (const reader of [...output.users]) b.graph.replaceAllUses(reader.outputs[0]!, parts[i]!);
    }
    return { done: `moved a transpose above ${describe(node)}.` };
  },
};

/** A node's inputs after the first, and the attributes that change, once its first input is transposed. */
interface Moved {
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: readonly (readonly [name: string, attribute: Attribute])[];
}

/** Undefined if they are not constant. */
type Move = (node: Node, perm: readonly number[], b: Builder) => Moved | undefined;

const movesUp: { readonly [op: string]: Move } = { Pad: movePads, Slice: moveSlice, Split: moveSplit };

/** The order of axes of a Transpose of a value of known rank. */
function permOf(node: Node): readonly number[] | undefined {
  const rank = (node.inputs[0]?.dims ?? node.outputs[0]?.dims)?.length;
  const perm = intsOf(node, 'perm');
  if (!isOnnx(node) || node.op !== 'Transpose' || (perm.length === 0 && rank === undefined)) return undefined;
  return permutation(perm, rank ?? 0);
}

/** The transposed value, which may exist already. */
function transposed(b: Builder, x: Value, perm: readonly number[]): Value {
  const known = [...x.users].find((user) => `${permOf(user)}` === `${perm}`);
  return known?.outputs[0] ?? b.op('Transpose', [x], { perm });
}

/** A constant that is broadcast to Tx, as it is broadcast to x; undefined if it has more axes. */
function turnedBack(b: Builder, value: Value, perm: readonly number[]): Value | undefined {
  const contents = value.tensor;
  if (!contents || contents.dims.length > perm.length) return undefined;
  if (contents.data.length === 1) return value;
  const dims = [...new Array<number>(perm.length - contents.dims.length).fill(1), ...contents.dims];
  const padded = { ...contents, dims, data: contents.data } as Tensor;
  const turned = transposeTensor(
    padded,
    perm.map((_, axis) => perm.indexOf(axis)),
  );
  return b.parameter(value.name, turned.dims, turned);
}

/** Pads of x as pads of Tx: an attribute up to operator set 10, a constant from then on. */
function movePads(node: Node, perm: readonly number[], b: Builder): Moved | undefined {
  const pads = constantsAt(node, 1);
  const rank = perm.length;
  if (pads?.length !== 2 * rank || node.inputs[3]) return undefined;
  const value = [0, rank].flatMap((start) => perm.map((axis) => pads[start + axis]!));
  if (node.attributes.has('pads'))
    return { inputs: node.inputs.slice(1), attributes: [['pads', { kind: 'ints', value }]] };
  return { inputs: [b.ints(value), ...node.inputs.slice(2)], attributes: [] };
}

function moveSplit(node: Node, perm: readonly number[]): Moved {
  const value = perm.indexOf(fromFront(intsOf(node, 'axis')[0] ?? 0, perm.length));
  return { inputs: node.inputs.slice(1), attributes: [['axis', { kind: 'int', value }]] };
}

function moveSlice(node: Node, perm: readonly number[], b: Builder): Moved | undefined {
  const [starts, given] = [constantsAt(node, 1), constantsAt(node, 3)];
  if (!starts || (node.inputs[3] && !given)) return undefined;
  const axes = given ?? starts.map((_, axis) => axis);
  const value = axes.map((axis) => perm.indexOf(fromFront(axis, perm.length)));
  const [first, ends, , steps] = node.inputs.slice(1);
  if (node.attributes.has('starts')) {
    return { inputs: node.inputs.slice(1), attributes: [['axes', { kind: 'ints', value }]] };
  }
  const contents = fromNumbers(first!.tensor!.dtype, [value.length], value);
  return { inputs: [first, ends, b.constant(contents, 'axes'), ...(steps ? [steps] : [])], attributes: [] };
}

/** The numbers of an input, or of the attribute that it was in older operator sets, if they are constant. */
function constantsAt(node: Node, index: number): number[] | undefined {
  const input = inputsOf(node)[index];
  return input?.tensor && constantInts(input, 'constants');
}
