/** Whole graphs from form to form, and to what a runtime runs fastest. Both leave their input as it was. */
import type { Graph } from '../graph/graph.ts';
import { inferShapes } from '../graph/shapes.ts';
import { constantToInitializer, removeIdentity } from './cleanup.ts';
import { depthwiseToGroups } from './depthwise.ts';
import { foldBatchNorm } from './fold-batchnorm.ts';
import { branchesToGroups, sumToConcat } from './merge.ts';
import { type RewriteReport, type Rule, rewrite } from './rewriter.ts';
import { concatToSum, groupsToBranches } from './split.ts';

const rulesTo: { readonly [F in 'A' | 'B' | 'C']: readonly Rule[] } = {
  A: [groupsToBranches, concatToSum],
  B: [groupsToBranches, sumToConcat],
  C: [sumToConcat, branchesToGroups, depthwiseToGroups],
};

export interface Converted {
  readonly graph: Graph;
  readonly report: RewriteReport;
}

/**
 * Writes every block of a graph in one form, whichever forms they are in, by structure: the graph may be anybody's. What
 * is not a block is left alone, and so is a block that a rule refuses; the report says which and why.
 *
 * @example const { graph, report } = convertGraph(readOnnx(bytes), 'C');
 */
export function convertGraph(source: Graph, form: 'A' | 'B' | 'C'): Converted {
  return rewritten(source, rulesTo[form]);
}

/**
 * For inference: emulated grouped convolutions become grouped convolutions, batch normalisation is folded into the
 * convolution before it, idle nodes go.
 */
export function optimizeGraph(source: Graph): Converted {
  return rewritten(source, [...rulesTo.C, foldBatchNorm, removeIdentity]);
}

/** A graph in which no rule finds anything is given back as it came. */
function rewritten(source: Graph, rules: readonly Rule[]): Converted {
  const { graph } = source.clone();
  rewrite(graph, [constantToInitializer]);
  inferShapes(graph);
  const report = rewrite(graph, rules);
  if (report.changes.length === 0) return { graph: source, report };
  return { graph, report: { ...report, nodesBefore: source.nodes.size } };
}
