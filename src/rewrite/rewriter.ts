/**
 * Rewriting a graph by rules until none applies. A rule looks at one node: it finds its pattern there and rewrites it,
 * finds a pattern it may not touch and says why in a sentence, or finds nothing. Names are labels; only structure counts.
 */
import { Builder } from '../graph/builder.ts';
import { describe, type Graph, type Node } from '../graph/graph.ts';

/** `done` says what was rewritten, `refused` why a pattern was left alone; undefined is no pattern at all. */
export type Outcome = { readonly done: string } | { readonly refused: string } | undefined;

export interface Rule {
  readonly name: string;
  readonly apply: (b: Builder, node: Node) => Outcome;
}

export interface Remark {
  readonly rule: string;
  /** The node the pattern was found at, such as `Concat "layer1.0.concat"`. */
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
 * Applies rules in place until none changes anything. Rules are tried in order at each node, producers first.
 *
 * @example const { changes, refusals } = rewrite(graph, [sumToConcat, branchesToGroups]);
 */
export function rewrite(graph: Graph, rules: readonly Rule[]): RewriteReport {
  const b = new Builder(graph);
  const nodesBefore = graph.nodes.size;
  const changes: Remark[] = [];
  let refusals: Remark[] = [];
  for (let changed = true; changed; ) {
    changed = false;
    refusals = [];
    for (const node of graph.sorted()) {
      if (!graph.nodes.has(node)) continue;
      const where = describe(node);
      for (const rule of rules) {
        const outcome = rule.apply(b, node);
        if (outcome && 'refused' in outcome) refusals.push({ rule: rule.name, node: where, text: outcome.refused });
        if (!outcome || 'refused' in outcome) continue;
        changes.push({ rule: rule.name, node: where, text: outcome.done });
        changed = true;
        break;
      }
    }
    if (changed) graph.removeDead();
  }
  return { changes, refusals, nodesBefore, nodesAfter: graph.nodes.size };
}
