/**
 * From branches to groups.
 *
 *   A → B   Σᵢ wᵢ ⋆ zᵢ  =  [w₁ | w₂ | …] ⋆ concat(z₁, z₂, …)
 *           a sum of convolutions of separate maps is one convolution of their concatenation
 *   B → C   concat(w₁ ⋆ x, w₂ ⋆ x, …)   =  [w₁; w₂; …] ⋆ x                     several filters sets of one map: a wider one
 *           concat(w₁ ⋆ z₁, w₂ ⋆ z₂, …)  =  [w₁; w₂; …] ⋆ concat(z₁, z₂, …) in groups   the definition of groups
 *           concat(f(z₁), f(z₂), …)      =  f(concat(z₁, z₂, …))                 for BatchNormalization and Relu, per channel
 *
 * The same rules find grouped convolutions that a framework without them wrote as slices, convolutions and a Concat.
 */
import type { Builder } from '../graph/builder.ts';
import { describe, type Node, type Value } from '../graph/graph.ts';
import { attributesOf } from '../graph/ops.ts';
import { concatTensors, type Tensor, tensor } from '../tensor.ts';
import { type Branches, findBranches, type Level } from './branches.ts';
import { convolutionParts, layerConstant, mergedName, normalisationParts, ownConstant } from './constants.ts';
import type { Outcome, Rule } from './rewriter.ts';

/** A → B at a Sum or a chain of Adds. */
export const sumToConcat: Rule = {
  name: 'sum of convolutions to one convolution (A to B)',
  apply(b, node) {
    if (node.op !== 'Sum' && node.op !== 'Add') return undefined;
    if (node.op === 'Add' && [...node.outputs[0]!.users].some((user) => user.op === 'Add' && isLink(node)))
      return undefined;
    const operands = node.op === 'Sum' ? (node.inputs as Value[]) : addends(node);
    const ends = operands.filter((value) => value.producer?.op === 'Conv');
    const rest = operands.filter((value) => value.producer?.op !== 'Conv');
    const branches = findBranches(b.graph, ends);
    if (!branches || 'refused' in branches) return branches;
    const last = branches.levels.at(-1)!;
    const parts = constantsOf(b, last, convolutionParts);
    if ('refused' in parts) return parts;
    const problem = mergeProblem(last, 'one');
    if (problem) return { refused: problem };
    const merged = summed(b, last, parts);
    const total = rest.length === 0 ? merged : b.op(rest.length === 1 ? 'Add' : 'Sum', [merged, ...rest]);
    b.graph.replaceAllUses(node.outputs[0]!, total);
    return { done: `${ends.length} convolutions that were added are one convolution of their concatenated inputs.` };
  },
};

/** B → C at a Concat of channels. */
export const branchesToGroups: Rule = {
  name: 'branches to groups (B to C)',
  apply(b, node): Outcome {
    if (node.op !== 'Concat' || attributesOf(node, 'Concat').axis !== 1) return undefined;
    const branches = findBranches(b.graph, node.inputs as Value[]);
    if (!branches || 'refused' in branches) return branches;
    const constants = [];
    for (const [i, level] of branches.levels.entries()) {
      const first = i === 0 && branches.reads === 'all';
      if (first && level.op !== 'Conv')
        return { refused: `${describe(level.nodes[0]!)} stands before the branches' first convolution.` };
      const parts = constantsOf(b, level, level.op === 'Conv' ? convolutionParts : normalisationParts);
      if ('refused' in parts) return parts;
      const problem = mergeProblem(level, first ? 'one' : 'groups');
      if (problem) return { refused: problem };
      constants.push(parts);
    }
    b.graph.replaceAllUses(node.outputs[0]!, merged(b, branches, constants));
    return { done: `${node.inputs.length} branches are one, with convolutions in groups.` };
  },
};

/** An Add whose result only another Add reads is a link of a chain, which is looked at from its end. */
const isLink = (node: Node): boolean => node.outputs[0]!.users.size === 1;

/** What a chain of Adds adds up. */
function addends(node: Node): Value[] {
  return (node.inputs as Value[]).flatMap((value) => {
    const { producer } = value;
    return producer?.op === 'Add' && isLink(producer) ? addends(producer) : [value];
  });
}

/** For each node of a level its constants. */
type Parts = readonly (readonly Tensor[])[];

/** The constants of each node of a level, or why they cannot be joined. */
function constantsOf(b: Builder, { op, nodes }: Level, names: readonly string[]): Parts | { refused: string } {
  if (op === 'Relu') return [];
  const counts = nodes.map((node) => node.inputs.filter((value) => value !== undefined).length);
  if (counts.some((count) => count !== counts[0]))
    return { refused: `some of the branches' ${op} nodes have a bias and some have none.` };
  const parts: Tensor[][] = [];
  for (const node of nodes) {
    const own: Tensor[] = [];
    for (let i = 1; i <= names.length && node.inputs[i]; i++) {
      const contents = ownConstant(b.graph, node, i);
      if ('refused' in contents) return contents;
      own.push(contents);
    }
    parts.push(own);
  }
  return parts;
}

/** Why the nodes of a level cannot become one node, if so. */
function mergeProblem({ op, nodes }: Level, into: 'one' | 'groups'): string | undefined {
  const [first, ...others] = nodes;
  const geometry = (node: Node) =>
    JSON.stringify(
      op === 'Conv' ? { ...attributesOf(node, 'Conv'), kernel_shape: [] } : attributesOf(node, 'BatchNormalization'),
    );
  const other = op === 'Relu' ? undefined : others.find((node) => geometry(node) !== geometry(first!));
  if (other) return `${describe(other)} has other attributes than ${describe(first!)}.`;
  if (op !== 'Conv') return undefined;
  if (into === 'one' && attributesOf(first!, 'Conv').group !== 1) return `${describe(first!)} has groups already.`;
  const shape = (node: Node) => `${into === 'one' ? node.inputs[1]!.dims!.slice(2) : node.inputs[1]!.dims}`;
  const odd = others.find((node) => shape(node) !== shape(first!));
  return (
    odd &&
    `${describe(odd)} has a filter of [${odd.inputs[1]!.dims}] where ${describe(first!)} has [${first!.inputs[1]!.dims}].`
  );
}

/** The filters of added convolutions side by side, their biases added, on the concatenation of what they read. */
function summed(b: Builder, { nodes }: Level, parts: Parts): Value {
  const [first] = nodes;
  const name = mergedName(b.graph, first!.name, 'Conv');
  const joined = b.op(
    'Concat',
    nodes.map((node) => node.inputs[0]),
    { axis: 1 },
    name.replace(/[^.]*$/, 'concat'),
  );
  const weight = layerConstant(
    b,
    name,
    'weight',
    concatTensors(
      parts.map(([w]) => w!),
      1,
    ),
  );
  const biases = parts.flatMap(([, bias]) => bias ?? []);
  const bias = biases.length > 0 ? layerConstant(b, name, 'bias', added(biases)) : undefined;
  return b.op('Conv', [joined, weight, ...(bias ? [bias] : [])], attributesOf(first!, 'Conv'), name);
}

function added(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  const sums = Float64Array.from({ length: first!.data.length }, (_, i) =>
    tensors.reduce((sum, { data }) => sum + Number(data[i]), 0),
  );
  return tensor('float32', first!.dims, Float32Array.from(sums));
}

function merged(b: Builder, { levels, start, reads }: Branches, constants: readonly Parts[]): Value {
  return levels.reduce((x, { op, nodes }, i) => {
    const [first] = nodes;
    const name = mergedName(b.graph, first!.name, op);
    const names = op === 'Conv' ? convolutionParts : normalisationParts;
    const joined = (constants[i]![0] ?? []).map((_, k) => {
      return layerConstant(
        b,
        name,
        names[k]!,
        concatTensors(
          constants[i]!.map((own) => own[k]!),
          0,
        ),
      );
    });
    if (op === 'Relu') return b.op('Relu', [x], {}, name);
    if (op === 'BatchNormalization') return b.op(op, [x, ...joined], attributesOf(first!, op), name);
    const attributes = attributesOf(first!, 'Conv');
    const group = i === 0 && reads === 'all' ? 1 : nodes.length * attributes.group;
    return b.op('Conv', [x, ...joined], { ...attributes, group }, name);
  }, start);
}
