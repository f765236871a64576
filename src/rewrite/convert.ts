/** Whole graphs from form to form, and to what a runtime runs fastest. Both leave their input as it was. */
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { constantToInitializer, removeIdentity, separateConstants, stackToSum } from './cleanup.ts';
import { depthwiseToGroups } from './depthwise.ts';
import { foldBatchNorm, foldBeforeSum } from './fold-batchnorm.ts';
import { branchesToGroups, emulationToGroups, sumToConcat } from './merge.ts';
import { type Remark, type RewriteReport, type Rule, rewrite } from './rewriter.ts';
import { inferKnownShapes } from './shapes.ts';
import { concatToSum, groupsToBranches } from './split.ts';

type Stages = readonly (readonly Rule[])[];

/** What emulates a grouped convolution is one first. */
const emulations: readonly Rule[] = [depthwiseToGroups, emulationToGroups];

const stagesTo: { readonly [F in 'A' | 'B' | 'C']: Stages } = {
  A: [emulations, [groupsToBranches, concatToSum]],
  B: [emulations, [groupsToBranches, sumToConcat]],
  C: [[depthwiseToGroups, sumToConcat, branchesToGroups]],
};

/** The oldest operator set in which every operator that the rules write means what it means now. */
const oldest = 9;

export interface Converted {
  readonly graph: Graph;
  readonly report: RewriteReport;
}

/**
 * Writes every block of a graph in one form, whichever forms they are in, by structure: the graph may be anybody's. What
 * is not a block is left alone, and so is a block that a rule refuses; the report says which and why. Where there is
 * nothing to do, the graph itself is given back.
 *
 * @example const { graph, report } = convertGraph(readOnnx(bytes), 'C');
 */
export function convertGraph(source: Graph, form: 'A' | 'B' | 'C'): Converted {
  return rewritten(source, stagesTo[form], []);
}

/**
 * `convertGraph` where every block has to be in the form.
 *
 * @throws UsageError naming the node at which a block has to stay as it is.
 */
export function convertWhole(source: Graph, form: 'A' | 'B' | 'C'): Graph {
  const { graph, report } = convertGraph(source, form);
  const [refusal] = report.refusals;
  if (refusal) throw new UsageError(`${refusal.node} cannot be written in form ${form}: ${refusal.text}`);
  return graph;
}

/**
 * For inference: branches and emulated grouped convolutions become grouped convolutions, batch normalization is folded
 * into the convolution before it, idle nodes go. Where there is nothing to do, the graph itself is given back.
 *
 * @example const { graph, report } = optimizeGraph(readOnnx(bytes));
 */
export function optimizeGraph(source: Graph): Converted {
  return rewritten(source, [[foldBeforeSum, ...stagesTo.C.flat()], [foldBatchNorm]], [removeIdentity]);
}

/** Applies rules in stages. Of the preparation, only the rules that are `counted` are worth a new graph. */
function rewritten(source: Graph, stages: Stages, counted: readonly Rule[]): Converted {
  const nodesBefore = source.nodes.size;
  const version = source.opsets.get('') ?? oldest;
  if (version < oldest) {
    const text = `the graph is of operator set ${version}; at least ${oldest} is needed.`;
    const refusals = [{ rule: 'operator set', node: `graph "${source.name}"`, text }];
    return { graph: source, report: { changes: [], refusals, nodesBefore, nodesAfter: nodesBefore } };
  }
  const { graph, report } = prepared(source);
  const tidied = report.changes.filter(({ rule }) => counted.some(({ name }) => name === rule));
  const reports = stages.map((rules) => rewrite(graph, rules));
  const changes: Remark[] = [...tidied, ...reports.flatMap(({ changes }) => changes)];
  const refusals = reports.flatMap(({ refusals }) => refusals);
  if (changes.length === 0) {
    return { graph: source, report: { changes, refusals, nodesBefore, nodesAfter: nodesBefore } };
  }
  dropUnreadInitializers(graph);
  return { graph, report: { changes, refusals, nodesBefore, nodesAfter: graph.nodes.size } };
}

/**
 * A copy in which patterns are plain to see: constants are initializers, each of its own; nodes without effect are gone;
 * shapes are filled in as far as they can be told.
 */
export function prepared(source: Graph): Converted {
  const { graph } = source.clone();
  const report = rewrite(graph, [constantToInitializer, separateConstants, removeIdentity, stackToSum]);
  inferKnownShapes(graph);
  return { graph, report };
}

/** Older files list initializers among the inputs; those that are not read any more are no inputs either. */
function dropUnreadInitializers(graph: Graph): void {
  const isUnread = (value: Graph['inputs'][number]) =>
    graph.initializers.has(value) && value.users.size === 0 && !graph.outputs.includes(value);
  const kept = graph.inputs.filter((value) => !isUnread(value));
  graph.inputs.splice(0, graph.inputs.length, ...kept);
  graph.removeDead();
}
