/**
 * A graph with weights as this machine's CPU runs it fastest: branches and emulated groups made groups, normalisation
 * folded, narrow groups widened to the block that ONNX Runtime's convolutions compute at a time. Each step is a rule of
 * `rewrite/` with its algebra; here is only which are taken. The result computes the same, up to rounding.
 */
import type { Graph } from '../graph/graph.ts';
import { type Converted, optimizeGraph } from '../rewrite/convert.ts';
import { rewrite } from '../rewrite/rewriter.ts';
import { type Widening, widenGroups, widensByRule } from '../rewrite/widen-groups.ts';

export interface InferenceOptions {
  /** Channels that the runtime's convolutions compute at a time, as `thisMachine` tells; without it groups are left alone. */
  readonly block?: number | undefined;
  /** What `resnext bench --tune` measured: whether widening groups of so many channels pays. Overrules the cost rule. */
  readonly widen?: Readonly<Record<number, boolean>> | undefined;
}

/**
 * Lowers a graph for inference; the source stays as it was, and is given back where there is nothing to do.
 *
 * @returns the graph, and what was rewritten or refused, in sentences.
 * @example const { graph } = lowerInference(model.graph, await thisMachine());
 */
export function lowerInference(source: Graph, { block, widen = {} }: InferenceOptions = {}): Converted {
  const folded = optimizeGraph(source);
  if (!block) return folded;
  const pays = (widening: Widening) => widen[widening.channels[0]] ?? widensByRule(widening, block);
  const graph = folded.graph === source ? source.clone().graph : folded.graph;
  const widened = rewrite(graph, [widenGroups({ block, pays })]);
  return {
    graph: widened.changes.length > 0 ? graph : folded.graph,
    report: {
      changes: [...folded.report.changes, ...widened.changes],
      refusals: [...folded.report.refusals, ...widened.refusals],
      nodesBefore: source.nodes.size,
      nodesAfter: graph.nodes.size,
    },
  };
}
