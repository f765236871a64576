/** Several training steps of a golden network, by the interpreter or by the runtime in either lowering. */
import { onTestFinished } from 'vitest';
import type { Graph } from '../src/graph/graph.ts';
import { interpret } from '../src/graph/interpret.ts';
import { lowerBlocked } from '../src/lower/blocked.ts';
import { lowerStandard } from '../src/lower/standard.ts';
import type { Model } from '../src/model/resnext.ts';
import { scatterWeights, type Weights } from '../src/model/weights.ts';
import { Session, thisMachine } from '../src/platform/node.ts';
import { type AverageOptions, averageDecayAt, averageScalars } from '../src/step/average.ts';
import { bindOptimizer } from '../src/step/optimizers.ts';
import type { StateSpec } from '../src/step/state.ts';
import { type StepOptions, trainingStep } from '../src/step/step.ts';
import { type Tensor, tensor } from '../src/tensor.ts';
import { joined, type Run, type Tensors } from './golden-networks.ts';

const block = (await thisMachine()).block!;

export const lowerings = { standard: lowerStandard, blocked: (graph: Graph) => lowerBlocked(graph, block) };

/** Forms A and C in both lowerings. */
export const onRuntime = Object.entries(lowerings).flatMap(([lowering, lower]) =>
  (['A', 'C'] as const).map((form) => ({ form, lowering: lowering as keyof typeof lowerings, lower })),
);

export const interpreted =
  async (graph: Graph): Promise<Run> =>
  (feeds) =>
    interpret(graph, feeds);

/** Runs the lowered graph in a session, which the end of the test closes. */
export const opened =
  (lower: (graph: Graph) => Graph) =>
  async (graph: Graph): Promise<Run> => {
    const session = await Session.open(lower(graph), { threads: 1, optimization: 'disabled' });
    onTestFinished(() => session.dispose());
    return (feeds) => session.run(feeds);
  };

export interface Steps {
  readonly steps: number;
  readonly learningRate: number;
  /** In form C. */
  readonly start: Weights;
  /** The images, the targets, and the masks of step t, counted from 1. */
  readonly feedsAt: (t: number) => Tensors;
  readonly average?: AverageOptions;
}

/** The losses, and the weights and their average in form C. */
export async function stepsOf(
  model: Model,
  options: StepOptions,
  { steps, learningRate, start, feedsAt, average }: Steps,
  open: (graph: Graph) => Promise<Run>,
) {
  const { graph, state } = trainingStep(model.graph, { ...options, average: average !== undefined });
  const step = await open(graph);
  const weights = scatterWeights(model, start);
  const startOf = ({ role, parameter, length }: StateSpec) =>
    tensor('float32', [length], role === 'slot' ? undefined : (weights.get(parameter)!.data as Float32Array));
  let current: Tensors = new Map(state.map((spec) => [spec.name, startOf(spec)]));
  const found: number[] = [];
  for (let t = 1; t <= steps; t++) {
    const ofAverage = average && averageScalars(averageDecayAt(average, t));
    const scalars = { learningRate, ...bindOptimizer(options.optimizer).scalars(t), ...ofAverage };
    const feeds = new Map<string, Tensor>([...current, ...feedsAt(t)]);
    for (const [name, value] of Object.entries(scalars)) feeds.set(name, tensor('float32', [], Float32Array.of(value)));
    const results = await step(feeds);
    found.push(Number(results.get('loss')!.data[0]));
    current = new Map(state.map(({ name, next }) => [name, results.get(next)!]));
  }
  const losses = tensor('float64', [steps], Float64Array.from(found));
  return { losses, final: joined(model, current), average: joined(model, current, '.average') };
}
