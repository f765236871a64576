/**
 * Makes the feature maps of a ResNeXt's stages outputs of its graph. They are found by structure: the stem's map is the
 * input of the first node of `layer1`, a stage's map is the output of its last node, and the pooled vector is the input
 * of the classifier. In every form, these are torchvision's `maxpool`, `layer1` to `layer4`, and flattened `avgpool`.
 */
import { checkArgument, checkList, name } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { type Graph, graphKind, type Node, type Value } from '../graph/graph.ts';

/** `stem` is the map after the stem's pooling, `pooled` the vector before the classifier. */
export type Stage = 'stem' | `layer${number}` | 'pooled' | 'logits';

/** A graph whose outputs are stages, and the names of the outputs. */
export interface StageGraph {
  readonly graph: Graph;
  readonly outputs: ReadonlyMap<Stage, string>;
}

/**
 * The stages of a graph, in order.
 *
 * @example stageNames(resnext().graph) // ['stem', 'layer1', 'layer2', 'layer3', 'layer4', 'pooled', 'logits']
 */
export function stageNames(graph: Graph): Stage[] {
  checkArgument('graph', graph, graphKind);
  return [...stageValues(graph).keys()];
}

/**
 * A copy of a model's graph that computes only these stages.
 *
 * @throws UsageError if the graph does not have a stage, listing those that it has.
 * @example const { graph, outputs } = stageGraph(model.graph, ['layer3', 'pooled']);
 */
export function stageGraph(source: Graph, stages: readonly Stage[]): StageGraph {
  checkArgument('source', source, graphKind);
  checkList('stages', stages, name);
  const { graph } = source.clone();
  const values = stageValues(graph);
  const chosen = stages.map((stage) => {
    const value = values.get(stage);
    if (value) return [stage, value] as const;
    throw new UsageError(`The model has no stage "${stage}". Choose from ${[...values.keys()].join(', ')}.`);
  });
  if (chosen.length === 0)
    throw new UsageError(`No stage was given, but expected at least one of ${[...values.keys()].join(', ')}.`);
  graph.outputs.splice(0, graph.outputs.length, ...new Set(chosen.map(([, value]) => value)));
  graph.removeDead();
  return { graph, outputs: new Map(chosen.map(([stage, value]) => [stage, value.name])) };
}

function stageValues(graph: Graph): Map<Stage, Value> {
  const nodes = graph.sorted();
  const layers = new Map<Stage, Value>();
  let stem: Value | undefined;
  for (const node of nodes) {
    const layer = layerOf(node);
    if (!layer) continue;
    stem ??= node.inputs[0];
    layers.set(layer, node.outputs[0]!);
  }
  const classifier = nodes.findLast((node) => !layerOf(node) && (node.op === 'Gemm' || node.op === 'MatMul'));
  const pooled = classifier ? classifier.inputs[0] : graph.outputs[0];
  return new Map<Stage, Value>([
    ...(stem ? [['stem', stem] as const] : []),
    ...layers,
    ...(pooled ? [['pooled', pooled] as const] : []),
    ...(classifier && graph.outputs[0] ? [['logits', graph.outputs[0]] as const] : []),
  ]);
}

/** The stage of a node, from its name, such as `layer2.0.conv1`. */
const layerOf = ({ name }: Node): Stage | undefined => /^(layer\d+)\./.exec(name)?.[1] as Stage | undefined;
