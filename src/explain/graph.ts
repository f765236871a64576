/**
 * Where a network sees a class, as a graph: the maps of one stage, A_c for each channel c, are weighed and added up.
 *
 *   grad-cam   max(0, Σ_c w_c · A_c)   with w_c the mean of ∂logit/∂A_c over the map (Selvaraju et al., 2017)
 *   cam        Σ_c w_c · A_c           with w_c = ∂logit/∂pooled_c, the classifier's weight (Zhou et al., 2016)
 *
 * The last stage is averaged and multiplied with the classifier's weights, so its Grad-CAM is the positive part of CAM,
 * divided by the number of pixels. The logit of CAM's class is the mean of its map, plus a bias.
 */
import { UsageError } from '../errors.ts';
import { gradient } from '../grad/gradient.ts';
import { Builder } from '../graph/builder.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { inferShapes, sizes } from '../graph/shapes.ts';
import { lowerStandard } from '../lower/standard.ts';
import { type Stage, stageGraph, stageNames } from '../model/stages.ts';
import type { ExplainMethod } from './methods.ts';

/** What to compute, for images of which size. */
export interface ExplanationSpec {
  readonly method: ExplainMethod;
  /** Default: the last. */
  readonly stage?: Stage | undefined;
  /** [C, H, W] of an image. */
  readonly image: readonly [number, number, number];
}

/** A network's explanation as a graph. */
export interface ExplanationGraph {
  /** From an image [1, C, H, W] and a one-hot class [1, K] to a map [h, w]. */
  readonly graph: Graph;
  readonly stage: Stage;
}

/**
 * The graph that computes a map for an image and a class.
 *
 * @throws UsageError if the network has no such stage, the stage has no map, or CAM is asked of another than the last.
 * @example const { graph } = explanationGraph(model.graph, { method: 'grad-cam', stage: 'layer3', image: [3, 224, 224] });
 */
export function explanationGraph(source: Graph, { method, stage: chosen, image }: ExplanationSpec): ExplanationGraph {
  const stage = stageFor(source, method, chosen);
  const { graph, outputs } = stageGraph(source, [stage, 'pooled', 'logits']);
  const byName = new Map(graph.outputs.map((value) => [value.name, value]));
  const [maps, pooled, logits] = ([stage, 'pooled', 'logits'] as const).map((name) => byName.get(outputs.get(name)!)!);
  graph.inputs[0]!.dims = [1, ...image];
  inferShapes(graph);
  const b = new Builder(graph);
  const target = b.input('class', sizes(logits!)); // [1, K]
  const score = b.op('ReduceSum', [b.op('Mul', [logits, target])], { keepdims: 0 });
  const weights = channelWeights(b, score, maps!, method === 'cam' ? pooled! : maps!);
  const sum = b.op('ReduceSum', [b.op('Mul', [maps, weights]), b.ints([0, 1])], { keepdims: 0 }); // [h, w]
  graph.outputs.length = 0;
  b.output(method === 'cam' ? sum : b.op('Relu', [sum]), 'map');
  graph.removeDead();
  return { graph: lowerStandard(graph), stage };
}

/** The gradient of the score by the maps, averaged over each, or by the pooled vector: [1, C, 1, 1]. */
function channelWeights(b: Builder, score: Value, maps: Value, by: Value): Value {
  const [slope] = gradient(b.graph, score, [by]);
  if (by === maps) return b.op('ReduceMean', [slope], { axes: [2, 3] });
  return b.op('Reshape', [slope, b.ints([1, sizes(maps)[1]!, 1, 1])]);
}

function stageFor(source: Graph, method: ExplainMethod, chosen: Stage | undefined): Stage {
  const known: readonly Stage[] = stageNames(source).filter((name) => name !== 'pooled' && name !== 'logits');
  const last = known.at(-1);
  if (last === undefined)
    throw new UsageError('The model has no stage with a map, so there is nothing to explain it by.');
  if (chosen !== undefined && !known.includes(chosen)) {
    throw new UsageError(`The model has no map of a stage "${chosen}". Choose from ${known.join(', ')}.`);
  }
  if (method === 'cam' && (chosen ?? last) !== last) {
    throw new UsageError(`CAM is defined for the last stage, ${last}, only. Choose it, or Grad-CAM, for ${chosen}.`);
  }
  return chosen ?? last;
}
