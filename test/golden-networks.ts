/** The golden networks as models with their training steps, and their results in a form comparable with PyTorch's. */
import { expect } from 'vitest';
import { gradient } from '../src/grad/gradient.ts';
import { Builder } from '../src/graph/builder.ts';
import type { Graph } from '../src/graph/graph.ts';
import type { Form, ResNeXtConfig } from '../src/model/config.ts';
import { type Model, resnext } from '../src/model/resnext.ts';
import { gatherWeights, setWeights } from '../src/model/weights.ts';
import { type TrainingStep, trainingStep, withLoss } from '../src/step/step.ts';
import { type Tensor, tensor } from '../src/tensor.ts';
import { type Golden, readGolden } from './golden-files.ts';
import { relativeError } from './tensors.ts';

/** The networks whose files contain the gradient with respect to the images. */
export const networksWithInputGradient = [
  ...['imagenet-64', 'imagenet-odd', 'dilated-16', 'dilated-8', 'cifar-32', 'cifar-grayscale'],
  ...['shortcut-a', 'shortcut-c', 'shortcut-d', 'ties'],
  ...['se-d', 'eca-t', 'aa-se', 'senet'],
];

export const networks = [
  ...networksWithInputGradient,
  ...['trained-imagenet', 'trained-cifar', 'small-gamma-imagenet', 'small-gamma-cifar'],
];

export type Tensors = ReadonlyMap<string, Tensor>;
export type Run = (feeds: Tensors) => Tensors | Promise<Tensors>;

export const learningRate = 0.01;
export const weightDecay = 1e-4;

export interface Network {
  readonly golden: Golden;
  readonly model: Model;
  /** The SGD settings of the golden files, and the inputs of the first step. */
  readonly step: TrainingStep;
  readonly start: Map<string, Tensor>;
}

export async function openNetwork(name: string, form: Form): Promise<Network> {
  const golden = await readGolden(name);
  const model = resnext({ ...golden.metadata<Omit<ResNeXtConfig, 'form'>>('config'), form });
  setWeights(model, golden.under('state.'));
  const batch = golden.get('input').dims[0]!;
  const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;
  const step = trainingStep(model.graph, { batch, optimizer, decayOf: () => weightDecay });
  return { golden, model, step, start: firstFeeds(golden, model, step) };
}

/** The training pass, with the gradient of the loss with respect to the images as "input.gradient". */
export function inputGradientGraph({ golden, model }: Network): Graph {
  const { graph, loss } = withLoss(model.graph, { batch: golden.get('input').dims[0]! });
  const [dx] = gradient(graph, loss, [graph.inputs[0]!]);
  new Builder(graph).output(dx!, 'input.gradient');
  return graph;
}

/** The batch, and the start's state with slots of zero. */
function firstFeeds(golden: Golden, model: Model, { state }: TrainingStep): Map<string, Tensor> {
  const weights = new Map(model.parameters.map(({ value }) => [value.name, value.tensor!]));
  const feeds = new Map<string, Tensor>([
    ['input', golden.get('input')],
    ['targets', golden.get('targets')],
    ['learningRate', tensor('float64', [], Float64Array.of(learningRate))],
  ]);
  for (const { name, length } of state) {
    feeds.set(name, tensor('float32', [length], weights.get(name)?.data as Float32Array | undefined));
  }
  return feeds;
}

/** The state after a step, as inputs of the next one. */
export const nextFeeds = (feeds: Tensors, { state }: TrainingStep, results: Tensors): Map<string, Tensor> =>
  new Map([...feeds, ...state.map(({ name, next }) => [name, results.get(next)!] as const)]);

/** Form C tensors from flat ones, named like the parameters with `suffix`. */
export const joined = (model: Model, flat: Tensors, suffix = ''): Map<string, Tensor> =>
  gatherWeights(model, ({ value }) => {
    const part = flat.get(`${value.name}${suffix}`);
    return part && { ...part, dims: value.dims as number[] };
  });

/** The gradient, from what the first step makes of a momentum of zero: gradient + decay·w. */
export function gradients({ model, start }: Network, results: Tensors): Map<string, Tensor> {
  const weights = joined(model, start);
  const momenta = joined(model, results, '.momentum.next');
  return new Map(
    [...momenta].map(([name, { dims, data }]) => {
      const w = weights.get(name)!.data;
      const gradient = Float64Array.from(data as ArrayLike<number>, (v, i) => v - weightDecay * Number(w[i]));
      return [name, tensor('float64', dims, gradient)];
    }),
  );
}

/** Runs ten steps on one batch: the results of the first, the loss before each, and the final state in form C. */
export async function tenSteps({ model, step, start }: Network, run: Run) {
  const first = await run(start);
  const losses = [first.get('loss')!.data[0]];
  let feeds = nextFeeds(start, step, first);
  while (losses.length < 10) {
    const results = await run(feeds);
    losses.push(results.get('loss')!.data[0]);
    feeds = nextFeeds(feeds, step, results);
  }
  return { first, losses: tensor('float64', [10], Float64Array.from(losses, Number)), final: joined(model, feeds) };
}

/** Expects every tensor of the golden file under `prefix`, within `bound`. */
export function expectNear(actual: Tensors, golden: Golden, prefix: string, bound: (name: string) => number): void {
  for (const [name, reference] of golden.under(prefix)) {
    if (name.endsWith('num_batches_tracked') || name === 'input') continue;
    expect(actual.get(name)?.dims, name).toEqual(reference.dims);
    expect(relativeError(actual.get(name)!, reference), name).toBeLessThanOrEqual(bound(name));
  }
}
