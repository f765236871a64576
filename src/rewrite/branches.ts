/**
 * Branches are chains of the same operators that start at one value and meet again in one node. They start where the
 * paths up from the values that meet come together. From the meeting point, all branches are walked up in step until
 * they read the start or slices of it.
 *
 * Convolutions tell branches from other structures (the two sides of a residual block, the different branches of an
 * Inception block): only chains with the same sequence of kernels count. Any other difference between such chains is
 * reported as a refusal.
 */
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { channelwiseConstants } from './operators.ts';
import { type Kernels, kernelsFrom, meeting, pathsUp } from './paths.ts';
import type { Refusal } from './rewriter.ts';
import { isCutFrom, sliceProblem } from './slices.ts';

/** One operator from each branch, in branch order. */
export interface Level {
  /** `Conv`, or a channelwise operator. */
  readonly op: string;
  readonly nodes: readonly Node[];
  /** Where the inputs come from: a level before, or the start of the branches. Constants are undefined. */
  readonly inputs: readonly (Level | 'start' | undefined)[];
}

/** Values that convolutions with the same kernels make from one value. */
export interface Family {
  readonly start: Value;
  readonly ends: readonly Value[];
  /** Number of convolutions from `start` to each end. */
  readonly convolutions: number;
}

export interface Branches {
  /** From the start of the branches to where they meet; the last one ends them. */
  readonly levels: readonly Level[];
  readonly start: Value;
  /** Whether every branch reads all of `start`, or each reads its own slice of the channels, in order. */
  readonly reads: 'all' | 'slices';
}

/** The largest family among `ends`, if it has two members or more. */
export function familyOf(graph: Graph, ends: readonly Value[]): Family | undefined {
  if (new Set(ends).size < ends.length) return undefined;
  const up = pathsUp(graph, ends);
  const start = meeting(up, ends);
  if (!start) return undefined;
  const kernels = kernelsFrom(start, up, ends);
  const common = mostCommon(kernels);
  const alike = ends.filter((_, i) => kernels[i] === common);
  return common && alike.length > 1 ? { start, ends: alike, convolutions: common.count } : undefined;
}

/** The first of the kernels that most ends have; undefined if no more ends have them than have none. */
function mostCommon(kernels: readonly (Kernels | undefined)[]): Kernels | undefined {
  const counts = new Map<Kernels | undefined, number>();
  for (const each of kernels) counts.set(each, (counts.get(each) ?? 0) + 1);
  const among = (each: Kernels | undefined) => counts.get(each) ?? 0;
  return [...counts.keys()].reduce((a, b) => (b && among(b) > among(a) ? b : a), undefined);
}

/** The branches of a family, operator by operator, or the reason why they differ. */
export function findBranches(graph: Graph, family: Family): Branches | Refusal {
  return new Walk(graph, family.start).from(family.ends);
}

/** One value from each branch, and the level that makes them once its inputs are known. */
interface Place {
  readonly values: readonly Value[];
  readonly nodes: readonly Node[];
  level?: Level;
}

/** Walks all branches up in step. A value that is read several times is visited once. */
class Walk {
  readonly #graph: Graph;
  readonly #start: Value;
  /** By the value in the first branch. */
  readonly #places = new Map<Value, Place>();
  #reads: 'all' | 'slices' | undefined;
  /** The values of each branch that are cut from the start. */
  #cuts: readonly Value[] = [];

  constructor(graph: Graph, start: Value) {
    this.#graph = graph;
    this.#start = start;
  }

  from(ends: readonly Value[]): Branches | Refusal {
    const levels: Level[] = [];
    const open = [ends];
    for (let values = open.at(-1); values; values = open.at(-1)) {
      const place = this.#visit(values);
      if (place !== 'start' && 'refused' in place) return place;
      const waits = place === 'start' || place.level ? [] : this.#unknownInputs(place);
      if ('refused' in waits) return waits;
      for (const each of waits) open.push(each);
      if (waits.length > 0) continue;
      open.pop();
      if (place === 'start' || place.level) continue;
      place.level = { op: place.nodes[0]!.op, nodes: place.nodes, inputs: this.#inputsOf(place) };
      levels.push(place.level);
    }
    const problem =
      this.#outsideUse(levels, ends) ?? (this.#reads === 'slices' && sliceProblem(this.#cuts, this.#start));
    return problem || { levels, start: this.#start, reads: this.#reads ?? 'all' };
  }

  /** Where the values are in the branches, or the reason why branches differ there. */
  #visit(values: readonly Value[]): Place | 'start' | Refusal {
    const known = this.#places.get(values[0]!);
    if (known)
      return values.every((value, i) => value === known.values[i]) ? known : differentUse(values, known.values);
    const isAll = values.every((value) => value === this.#start);
    if (isAll || values.every((value) => isCutFrom(value, this.#start))) return this.#reachStart(values, isAll);
    const nodes = values.map(({ producer }) => producer!);
    const problem = levelProblem(values, nodes, this.#start);
    if (problem) return problem;
    const place: Place = { values, nodes };
    this.#places.set(values[0]!, place);
    return place;
  }

  #reachStart(values: readonly Value[], isAll: boolean): 'start' | Refusal {
    const isFirst = this.#reads === undefined;
    this.#reads ??= isAll ? 'all' : 'slices';
    if (isFirst && !isAll) this.#cuts = values;
    const isSame = isAll ? this.#reads === 'all' : values.every((value, i) => value === this.#cuts[i]);
    return isSame ? 'start' : { refused: `branch 1 reads "${this.#start.name}" in more than one way.` };
  }

  /** The inputs of a place that were not visited yet. A refusal if the branches do not read alike. */
  #unknownInputs({ nodes }: Place): (readonly Value[])[] | Refusal {
    const waits: (readonly Value[])[] = [];
    for (const index of placesOfMaps(nodes[0]!)) {
      const values = nodes.map(({ inputs }) => inputs[index]);
      const isMap = values.map((value) => value !== undefined && !this.#graph.initializers.has(value));
      if (!isMap.some((map) => map)) continue;
      const odd = isMap.findIndex((map) => map !== isMap[0]);
      if (odd >= 0) {
        return {
          refused: `${describe(nodes[odd]!)} reads a constant where ${describe(nodes[isMap[0] ? 0 : odd]!)} does not.`,
        };
      }
      const place = this.#visit(values as Value[]);
      if (place === 'start') continue;
      if ('refused' in place) return place;
      if (!place.level) waits.push(values as Value[]);
    }
    return waits;
  }

  #inputsOf({ nodes }: Place): Level['inputs'] {
    const places = placesOfMaps(nodes[0]!);
    return nodes[0]!.inputs.map((value, index) => {
      if (!value || !places.includes(index) || this.#graph.initializers.has(value)) return undefined;
      return this.#places.get(value)?.level ?? 'start';
    });
  }

  /** The reason why a value within a branch must stay: something else reads it. */
  #outsideUse(levels: readonly Level[], ends: readonly Value[]): Refusal | undefined {
    const inside = new Set(levels.flatMap(({ nodes }) => nodes));
    for (const { nodes } of levels.toReversed()) {
      for (const [i, node] of nodes.entries()) {
        const [value] = node.outputs;
        const others = [...value!.users].filter((user) => !inside.has(user));
        const isUsed = others.length > (value === ends[i] ? 1 : 0) || this.#graph.outputs.includes(value!);
        if (isUsed)
          return { refused: `the output of ${describe(node)} in branch ${i + 1} is also used outside the branch.` };
      }
    }
    return undefined;
  }
}

const differentUse = ([value]: readonly Value[], [known]: readonly Value[]): Refusal => ({
  refused: `branch 1 reads "${(value ?? known)!.name}" more than once, but other branches do not read alike.`,
});

/** The reason why nodes cannot be one level, if there is one. */
function levelProblem(values: readonly Value[], nodes: readonly Node[], start: Value): Refusal | undefined {
  const [first] = nodes;
  for (const [i, value] of values.entries()) {
    const branch = `branch ${i + 1}`;
    if (value === start)
      return { refused: `${branch} reads "${value.name}" directly, but other branches have more layers in between.` };
    if (!nodes[i]) return { refused: `${branch} reads "${value.name}", which no other branch reads.` };
    if (nodes[i]!.op !== first!.op || placesOfMaps(nodes[i]!).length !== placesOfMaps(first!).length) {
      return { refused: `${branch} has ${describe(nodes[i]!)} where branch 1 has ${describe(first!)}.` };
    }
  }
  if (opTypeOf(first!) !== 'Conv' && !nodes.every(channelwiseConstants)) {
    return {
      refused: `${describe(first!)} in branch 1 is not a convolution, and does not treat each channel separately.`,
    };
  }
  const training = nodes.find((node) => node.op === 'BatchNormalization' && isTraining(node));
  if (training) return { refused: `${describe(training)} is in training mode.` };
  const several = nodes.find(
    (node, i) => node.outputs[0] !== values[i] || node.outputs.slice(1).some(({ users }) => users.size > 0),
  );
  return several && { refused: `${describe(several)} has several outputs.` };
}

/** The inputs of a node that may be maps. Where operators do not broadcast, all but the first must be constants. */
const placesOfMaps = (node: Node): number[] =>
  channelwiseConstants(node) === 'broadcast' ? [...node.inputs.keys()] : [0];

/** Whether a normalization uses the statistics of the batch. */
export const isTraining = (node: Node): boolean =>
  node.outputs.length > 1 || attributesOf(node, 'BatchNormalization').training_mode === 1;
