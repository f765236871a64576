/**
 * Applies rewrite rules to a graph until none matches. A rule looks at one node. It finds its pattern there and
 * rewrites it, finds a pattern that it must not change and says why in one sentence, or finds nothing. Only structure
 * counts, not names.
 */
import { Builder } from '../graph/builder.ts';
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';

/** The reason why a pattern was left alone. */
export interface Refusal {
  readonly refused: string;
}

/** `done` says what was rewritten, `refused` why a pattern was left alone; undefined means that nothing matched. */
export type Outcome = { readonly done: string } | Refusal | undefined;

export interface Rule {
  readonly name: string;
  readonly apply: (b: Builder, node: Node) => Outcome;
}

/** Makes a rule that remembers what it found in the graph. Each sweep makes its own. */
export type RuleOfSweep = () => Rule;

export interface Remark {
  readonly rule: string;
  /** The node where the pattern was found, such as `Concat "layer1.0.concat"`. */
  readonly node: string;
  readonly text: string;
}

export interface RewriteReport {
  readonly changes: readonly Remark[];
  readonly refusals: readonly Remark[];
  readonly nodesBefore: number;
  readonly nodesAfter: number;
}

/**
 * Applies rules in place until nothing changes. At each node, producers first, rules are tried in order. Rules give the
 * nodes that they add the name they should have; names that are already taken get a number at the end.
 *
 * @example const { changes, refusals } = rewrite(graph, [sumToConcat, branchesToGroups]);
 */
export function rewrite(graph: Graph, rules: readonly (Rule | RuleOfSweep)[]): RewriteReport {
  const b = new Builder(graph);
  const nodesBefore = graph.nodes.size;
  const known = new Set<Node | Value>([...valuesOf(graph), ...graph.nodes]);
  const changes: Remark[] = [];
  for (;;) {
    const { done, refusals } = sweep(b, rules);
    if (done.length === 0) return { changes, refusals, nodesBefore, nodesAfter: graph.nodes.size };
    for (const change of done) changes.push(change);
    graph.removeDead();
    separateNames(graph, known);
  }
}

function sweep(b: Builder, given: readonly (Rule | RuleOfSweep)[]): { done: Remark[]; refusals: Remark[] } {
  const rules = given.map((rule) => (typeof rule === 'function' ? rule() : rule));
  const done: Remark[] = [];
  const refusals: Remark[] = [];
  for (const node of b.graph.sorted()) {
    if (!isRead(b.graph, node) || isCaptured(node)) continue;
    for (const rule of rules) {
      const remark = { rule: rule.name, node: describe(node) };
      const outputs = [...b.graph.outputs];
      const outcome = rule.apply(b, node);
      keepTypes(b.graph, outputs);
      if (outcome && 'refused' in outcome) refusals.push({ ...remark, text: outcome.refused });
      if (!outcome || 'refused' in outcome) continue;
      done.push({ ...remark, text: outcome.done });
      break;
    }
  }
  return { done, refusals };
}

/** Graph outputs keep their declared type and shape. */
function keepTypes({ outputs }: Graph, before: readonly Value[]): void {
  for (const [i, { dtype, dims }] of before.entries()) {
    outputs[i]!.dtype = dtype ?? outputs[i]!.dtype;
    outputs[i]!.dims = dims ?? outputs[i]!.dims;
  }
}

/** Nodes that an earlier rewrite replaced stay in the graph until the sweep is over. */
const isRead = (graph: Graph, { outputs }: Node): boolean =>
  outputs.some((value) => value.users.size > 0 || graph.outputs.includes(value));

/** Whether a subgraph reads an output of the node. It does so by name, so the node cannot be replaced. */
const isCaptured = ({ outputs }: Node): boolean =>
  outputs.some((value) => [...value.users].some(({ captures }) => captures.includes(value)));

const valuesOf = (graph: Graph): Value[] => [
  ...new Set([...graph.inputs, ...graph.initializers, ...[...graph.nodes].flatMap(({ outputs }) => outputs)]),
];

/** Makes names unique: existing nodes and values keep theirs, and so does the first new one of each name. */
function separateNames(graph: Graph, known: ReadonlySet<Node | Value>): void {
  for (const all of [valuesOf(graph), [...graph.nodes]] as const) {
    const taken = new Set(all.flatMap((item) => (known.has(item) ? item.name : [])));
    for (const item of all) {
      if (known.has(item) || item.name === '') continue;
      if (taken.has(item.name)) item.name = graph.freshName(item.name);
      taken.add(item.name);
    }
  }
}
