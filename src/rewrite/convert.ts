/** Converts whole graphs between forms, and to what a runtime runs fastest. Both leave their input unchanged. */

import { checkArgument } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { type Graph, graphKind } from '../graph/graph.ts';
import { oneOf } from '../options.ts';
import { constantToInitializer, removeIdentity, separateConstants, stackToSum } from './cleanup.ts';
import { cutsToSlices, sequenceToSlices, stackToConcat } from './cuts.ts';
import { depthwiseToGroups } from './depthwise.ts';
import { foldBatchNorm, foldBeforeSum } from './fold-batchnorm.ts';
import { unmergedConcat, unmergedSum } from './leftover.ts';
import { branchesToGroups, emulationToGroups, sumToConcat } from './merge.ts';
import { type Remark, type RewriteReport, type Rule, type RuleOfSweep, rewrite } from './rewriter.ts';
import { inferKnownShapes } from './shapes.ts';
import { concatToSum, groupsToBranches } from './split.ts';
import { joinTransposes, lowerTransposes, raiseTransposes, shareTransposes } from './transposes.ts';

type Stages = readonly (readonly (Rule | RuleOfSweep)[])[];

/** Emulated grouped convolutions become real ones first. */
const emulations: Stages[number] = [depthwiseToGroups, emulationToGroups];

const stagesTo: { readonly [F in 'A' | 'B' | 'C']: Stages } = {
  A: [emulations, [groupsToBranches, concatToSum]],
  B: [emulations, [groupsToBranches, sumToConcat]],
  C: [[depthwiseToGroups, sumToConcat, branchesToGroups]],
};

/** The oldest operator set in which every operator that the rules write means what it means today. */
const oldest = 9;

export interface Converted {
  readonly graph: Graph;
  readonly report: RewriteReport;
}

const formKind = oneOf(['A', 'B', 'C'], { doc: 'how blocks are built' });

/**
 * Converts every block of a graph to one form, whichever form it is in now. Blocks are found by structure, so the graph
 * may come from any exporter. Everything else is left alone, and so is a block that a rule refuses; the report says
 * which and why. If there is nothing to change, the source itself is returned.
 *
 * @example const { graph, report } = convertGraph(readOnnx(bytes), 'C');
 */
export function convertGraph(source: Graph, form: 'A' | 'B' | 'C'): Converted {
  checkArgument('source', source, graphKind);
  checkArgument('form', form, formKind);
  return rewritten(source, stagesTo[form], []);
}

/**
 * Like `convertGraph`, but every block must end up in the form.
 *
 * @throws UsageError naming the node of a block that cannot be converted.
 */
export function convertWhole(source: Graph, form: 'A' | 'B' | 'C'): Graph {
  const { graph, report } = convertGraph(source, form);
  const [refusal] = report.refusals;
  if (refusal) throw new UsageError(`${refusal.node} cannot be converted to form ${form}: ${refusal.text}`);
  return graph;
}

/**
 * Optimizes a graph for inference: branches and emulated grouped convolutions become grouped convolutions, batch
 * normalization is folded into the convolution before it, and identities are removed. The report has a reason for
 * every concatenation or sum of several convolutions that stays. If there is nothing to change, the source itself is
 * returned.
 *
 * @example const { graph, report } = optimizeGraph(readOnnx(bytes));
 */
export function optimizeGraph(source: Graph): Converted {
  checkArgument('source', source, graphKind);
  const stages = [[foldBeforeSum, ...stagesTo.C.flat()], [foldBatchNorm], [unmergedConcat, unmergedSum]];
  return rewritten(source, stages, [removeIdentity]);
}

/** Applies rules in stages. Of the cleanup rules, only the `counted` ones are worth a new graph on their own. */
function rewritten(source: Graph, stages: Stages, counted: readonly Rule[]): Converted {
  const nodesBefore = source.nodes.size;
  const version = source.opsets.get('') ?? oldest;
  if (version < oldest) {
    const text = `the graph uses operator set ${version}, but at least ${oldest} is required.`;
    const refusals = [{ rule: 'operator set', node: `graph "${source.name}"`, text }];
    return { graph: source, report: { changes: [], refusals, nodesBefore, nodesAfter: nodesBefore } };
  }
  const { graph, report } = prepared(source);
  const tidied = report.changes.filter(({ rule }) => counted.some(({ name }) => name === rule));
  const reports = stages.map((rules) => rewrite(graph, rules));
  const changes: Remark[] = [...tidied, ...reports.flatMap(({ changes }) => changes)];
  const refusals = firstOfEachNode(reports.flatMap(({ refusals }) => refusals));
  if (changes.length === 0) {
    return { graph: source, report: { changes, refusals, nodesBefore, nodesAfter: nodesBefore } };
  }
  dropUnreadInitializers(graph);
  return { graph, report: { changes, refusals, nodesBefore, nodesAfter: graph.nodes.size } };
}

/** The first reason for each node; later stages know less of what was meant. */
function firstOfEachNode(refusals: readonly Remark[]): Remark[] {
  const byNode = new Map(refusals.toReversed().map((refusal) => [refusal.node, refusal]));
  return refusals.filter((refusal) => byNode.get(refusal.node) === refusal);
}

/**
 * A copy of the graph in which patterns are easy to match: constants are initializers, one per use; identities are
 * gone; shapes are filled in as far as they can be inferred; channels are cut by slices and are the second axis.
 */
export function prepared(source: Graph): Converted {
  const { graph } = source.clone();
  const report = rewrite(graph, [constantToInitializer, separateConstants, removeIdentity, stackToSum]);
  inferKnownShapes(graph);
  rewrite(graph, [
    sequenceToSlices,
    stackToConcat,
    cutsToSlices,
    shareTransposes,
    joinTransposes,
    raiseTransposes,
    lowerTransposes,
  ]);
  return { graph, report };
}

/** Older files list initializers as inputs too; the ones that are no longer read stop being inputs. */
function dropUnreadInitializers(graph: Graph): void {
  const isUnread = (value: Graph['inputs'][number]) =>
    graph.initializers.has(value) && value.users.size === 0 && !graph.outputs.includes(value);
  const kept = graph.inputs.filter((value) => !isUnread(value));
  graph.inputs.splice(0, graph.inputs.length, ...kept);
  graph.removeDead();
}
