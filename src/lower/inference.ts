/**
 * Rewrites a graph with weights to what this machine's CPU runs fastest: branches and emulated groups become grouped
 * convolutions, normalization is folded, and narrow groups are merged until they fill the block that ONNX Runtime's
 * convolutions compute at a time. The rules and their algebra are in `rewrite/`; this file only chooses among them. The
 * result computes the same, up to rounding.
 */
import { checkArgument, checkOptions, type FieldsOf, isObject, object } from '../arguments.ts';
import { type Graph, graphKind } from '../graph/graph.ts';
import { whole } from '../options.ts';
import { type Converted, optimizeGraph } from '../rewrite/convert.ts';
import { type GroupMerge, isProfitable, mergeNarrowGroups } from '../rewrite/merge-groups.ts';
import { rewrite } from '../rewrite/rewriter.ts';

/** What the machine does best. */
export interface InferenceOptions {
  /**
   * Channels that the runtime's convolutions compute at a time, from `thisMachine`. Without it, groups are left alone.
   */
  readonly block?: number | undefined;
  /** Whether to merge groups, by their channels, as measured by `resnext bench --tune`. Overrides the cost rule. */
  readonly mergeGroups?: Readonly<Record<number, boolean>> | undefined;
}

const fields: FieldsOf<InferenceOptions> = {
  block: whole({ from: 1, doc: 'channels per block' }),
  mergeGroups: object('an object from channels to true or false', isObject),
};

/**
 * Lowers a graph for inference. The source stays unchanged, and is returned if there is nothing to do.
 *
 * @returns the graph, and a report of what was rewritten or refused.
 * @example const { graph } = lowerInference(model.graph, { block: (await thisMachine()).block });
 */
export function lowerInference(source: Graph, options: InferenceOptions = {}): Converted {
  checkArgument('source', source, graphKind);
  checkOptions(fields, options);
  const { block, mergeGroups = {} } = options;
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
