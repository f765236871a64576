/**
 * A graph with weights as this machine's CPU runs it fastest: branches and emulated groups made groups, normalization
 * folded, narrow groups merged until they fill the block that ONNX Runtime's convolutions compute at a time. Each step is a rule of
 * `rewrite/` with its algebra; here is only which are taken. The result computes the same, up to rounding.
 */
import type { Graph } from '../graph/graph.ts';
import { type Converted, optimizeGraph } from '../rewrite/convert.ts';
import { type GroupMerge, isProfitable, mergeNarrowGroups } from '../rewrite/merge-groups.ts';
import { rewrite } from '../rewrite/rewriter.ts';

export interface InferenceOptions {
  /** Channels that the runtime's convolutions compute at a time, as `thisMachine` tells; without it groups are left alone. */
  readonly block?: number | undefined;
  /** What `resnext bench --tune` measured: whether to merge groups, by their channels. Overrides the cost rule. */
  readonly mergeGroups?: Readonly<Record<number, boolean>> | undefined;
}

/**
 * Lowers a graph for inference; the source stays as it was, and is given back where there is nothing to do.
 *
 * @returns the graph, and what was rewritten or refused, in sentences.
 * @example const { graph } = lowerInference(model.graph, await thisMachine());
 */
export function lowerInference(source: Graph, { block, mergeGroups = {} }: InferenceOptions = {}): Converted {
  const folded = optimizeGraph(source);
  if (!block) return folded;
  const merges = (merge: GroupMerge) => mergeGroups[merge.channels[0]] ?? isProfitable(merge, block);
  const graph = folded.graph === source ? source.clone().graph : folded.graph;
  const merged = rewrite(graph, [mergeNarrowGroups({ block, merges })]);
  return {
    graph: merged.changes.length > 0 ? graph : folded.graph,
    report: {
      changes: [...folded.report.changes, ...merged.changes],
      refusals: [...folded.report.refusals, ...merged.refusals],
      nodesBefore: source.nodes.size,
      nodesAfter: graph.nodes.size,
    },
  };
}
