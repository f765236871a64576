/**
 * From branches to groups.
 *
 *   A → B   Σᵢ wᵢ ⋆ zᵢ  =  [w₁ | w₂ | …] ⋆ concat(z₁, z₂, …)
 *           a sum of convolutions of separate maps is one convolution of their concatenation
 *   B → C   concat(w₁ ⋆ x, w₂ ⋆ x, …)    =  [w₁; w₂; …] ⋆ x
 *           several sets of filters on one map are one larger set
 *           concat(w₁ ⋆ z₁, w₂ ⋆ z₂, …)  =  [w₁; w₂; …] ⋆ concat(z₁, z₂, …) in groups
 *           the definition of groups
 *           concat(f(z₁), f(z₂), …)      =  f(concat(z₁, z₂, …))
 *           for operators that treat each channel separately
 *
 * The same rules recognize grouped convolutions that a framework without them wrote as slices, convolutions and a
 * Concat, and the bridge between B and C: concatenated 1x1 convolutions before a grouped convolution.
 */
import type { Builder } from '../graph/builder.ts';
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { type Branches, type Family, familyOf, findBranches, type Level } from './branches.ts';
import { type Joint, joinLevel, type Part, partsOf } from './levels.ts';
import { beside, mergedName } from './names.ts';
import type { Outcome, Refusal, Rule } from './rewriter.ts';
import { addends, isLastSum, isZero } from './sums.ts';

/** A → B at a Sum or a chain of Adds. Other terms, such as the shortcut, are still added. */
export const sumToConcat: Rule = {
  name: 'sum of convolutions to one convolution (A to B)',
  apply(b, node) {
    if (!isLastSum(b.graph, node)) return undefined;
    const terms = addends(b.graph, node);
    if (!terms.every((value) => value !== undefined)) return undefined;
    const operands = terms.filter((value) => !isZero(b.graph, value));
    const family = familyOf(b.graph, operands.filter(endsBranch));
    if (!family) return undefined;
    const branches = findBranches(b.graph, family);
    const isOfSlices = !('refused' in branches) && branches.reads === 'slices';
    if (family.convolutions < 2 && !isOfSlices) return undefined;
    if ('refused' in branches) return branches;
    const parts = partsOfAll(b.graph, branches, 'channels');
    if ('refused' in parts) return parts;
    const sum = summed(b, branches, parts.at(-1)!);
    const merged = new Set(family.ends);
    const rest = operands.filter((value) => !merged.has(value));
    const inputs = [sum, ...rest];
    const total = rest.length === 0 ? sum : b.op(rest.length === 1 ? 'Add' : 'Sum', inputs, {}, node.name || undefined);
    b.graph.replaceAllUses(node.outputs[0]!, total);
    const count = family.ends.length;
    return { done: `merged a sum of ${count} convolutions into one convolution of their concatenated inputs.` };
  },
};

/** B → C at a Concat of channels. */
export const branchesToGroups: Rule = {
  name: 'branches to groups (B to C)',
  apply: (b, node) => {
    const family = concatenatedFamily(b.graph, node);
    return family && merged(b, node, family);
  },
};

/** The same, except for branches of form B proper: slices of one map, or branches that no 1x1 convolution reads. */
export const emulationToGroups: Rule = {
  name: 'emulated groups to groups',
  apply(b, node) {
    const family = concatenatedFamily(b.graph, node);
    if (!family || isFormB(b.graph, node, family)) return undefined;
    return merged(b, node, family);
  },
};

/** The branches that a Concat joins along the channel axis, if it joins nothing else. */
export function concatenatedFamily(graph: Graph, node: Node): Family | undefined {
  if (opTypeOf(node) !== 'Concat' || node.inputs.some((value) => !value)) return undefined;
  const { axis } = attributesOf(node, 'Concat');
  const rank = (node.outputs[0]!.dims ?? node.inputs[0]!.dims)?.length;
  if (axis !== 1 && axis + (rank ?? 0) !== 1) return undefined;
  const family = familyOf(graph, node.inputs as Value[]);
  return family?.ends.length === node.inputs.length ? family : undefined;
}

/** Whether these are branches of form B: at least two convolutions each, all on one map, read by a 1x1 convolution. */
export function isFormB(graph: Graph, node: Node, family: Family): boolean {
  const [user, ...others] = node.outputs[0]!.users;
  if (others.length > 0 || !user || !isPointwise(user) || family.convolutions < 2) return false;
  const branches = findBranches(graph, family);
  return 'refused' in branches || branches.reads === 'all';
}

/** A 1x1 convolution with one group. */
export const isPointwise = (node: Node): boolean =>
  opTypeOf(node) === 'Conv' && attributesOf(node, 'Conv').group === 1 && `${node.inputs[1]?.dims?.slice(2)}` === '1,1';

/** Whether a branch may end here: with a convolution, or with a normalization, which is then refused with a reason. */
function endsBranch({ producer }: Value): boolean {
  const op = producer && opTypeOf(producer);
  return op === 'Conv' || op === 'BatchNormalization';
}

/** The constants of every level, or the reason why one cannot be merged. `last` says how the last level is joined. */
export function partsOfAll(graph: Graph, branches: Branches, last: Joint): Part[][] | Refusal {
  const { levels } = branches;
  const all: Part[][] = [];
  for (const [i, level] of levels.entries()) {
    const [first] = level.nodes;
    if (branches.reads === 'all' && level.op !== 'Conv' && level.inputs.includes('start')) {
      return { refused: `${describe(first!)} comes before the first convolution of its branch.` };
    }
    if (last === 'channels' && i === levels.length - 1 && level.op !== 'Conv') {
      return {
        refused: `${describe(first!)} ends its branch, but only sums of convolutions can be merged; fold it first.`,
      };
    }
    const parts = partsOf(graph, level, jointOf(branches, level, last));
    if ('refused' in parts) return parts;
    all.push(parts);
  }
  return all;
}

function jointOf({ levels, reads }: Branches, level: Level, last: Joint): Joint {
  if (level === levels.at(-1) && last === 'channels') return 'channels';
  return level.inputs[0] === 'start' && reads === 'all' ? 'filters' : 'groups';
}

/** The added convolutions as one convolution of their concatenated inputs. */
function summed(b: Builder, { levels, start, reads }: Branches, parts: readonly Part[]): Value {
  const last = levels.at(-1)!;
  if (levels.length === 1 && reads === 'slices') return joinLevel(b, last, parts, 'channels', [start]);
  const name = beside(mergedName(last.nodes.map((node) => node.name)), 'concat');
  const inputs = last.nodes.map((node) => node.inputs[0]);
  const joined = b.op('Concat', inputs, { axis: 1 }, name);
  return joinLevel(b, last, parts, 'channels', [joined]);
}

function merged(b: Builder, node: Node, family: Family): Outcome {
  const branches = findBranches(b.graph, family);
  if ('refused' in branches) return branches;
  const parts = partsOfAll(b.graph, branches, 'groups');
  if ('refused' in parts) return parts;
  const joined = new Map<Level | 'start' | undefined, Value>([['start', branches.start]]);
  for (const [i, level] of branches.levels.entries()) {
    const maps = level.inputs.map((input) => joined.get(input));
    joined.set(level, joinLevel(b, level, parts[i]!, jointOf(branches, level, 'groups'), maps));
  }
  b.graph.replaceAllUses(node.outputs[0]!, joined.get(branches.levels.at(-1))!);
  const groups = branches.levels.some(
    (level) => level.op === 'Conv' && jointOf(branches, level, 'groups') === 'groups',
  );
  const result = groups ? 'one, with a grouped convolution' : 'one convolution with all their filters';
  return { done: `merged ${family.ends.length} branches into ${result}.` };
}
