/**
 * The same numbers as PyTorch: nine networks in forms A, B and C, from the weights, pictures and targets in
 * `test/golden`. In float64 by the interpreter, on the training graph as it is written; in float32 on ONNX Runtime, on
 * the training step as it runs, where no error may be much larger than PyTorch's own in float32.
 */
import { describe, expect, test } from 'vitest';
import { gradient } from '../src/grad/gradient.ts';
import { Builder } from '../src/graph/builder.ts';
import { evaluate } from '../src/graph/evaluate.ts';
import type { Graph } from '../src/graph/graph.ts';
import { lowerStandard } from '../src/lower/standard.ts';
import { type Form, forms, type ResNeXtConfig } from '../src/model/config.ts';
import { type Model, resnext } from '../src/model/resnext.ts';
import { gather, setWeights } from '../src/model/weights.ts';
import { Session } from '../src/runtime/session.ts';
import { type Tensor, tensor } from '../src/tensor.ts';
import { type StepOptions, type TrainingStep, trainingStep, withLoss } from '../src/train/step.ts';
import { type Golden, readGolden } from './golden-files.ts';
import { relativeError } from './tensors.ts';

const networks = [
  ...['imagenet-64', 'imagenet-odd', 'dilated-16', 'dilated-8', 'cifar-32', 'cifar-grey'],
  ...['shortcut-a', 'shortcut-c', 'shortcut-d'],
];

type State = ReadonlyMap<string, Tensor>;
type Run = (feeds: State) => State | Promise<State>;
type Optimiser = Omit<StepOptions, 'batch'>;

/** Its next velocity from zero is the gradient itself. */
const gradientOnly: Optimiser = { momentum: 0.9, nesterov: false, weightDecay: 0 };
const tenSteps: Optimiser = { momentum: 0.9, nesterov: true, weightDecay: 1e-4 };

const modelOf = (golden: Golden, form: Form): Model => {
  const model = resnext({ ...golden.metadata<Omit<ResNeXtConfig, 'form'>>('config'), form });
  setWeights(model, golden.under('state.'));
  return model;
};

const stepOf = (golden: Golden, model: Model, options: Optimiser): TrainingStep =>
  trainingStep(model.graph, { ...options, batch: golden.get('input').dims[0]! });

/** What the first step is fed: the batch, and the start's state with velocities of zero. */
function firstFeeds(golden: Golden, model: Model, { state }: TrainingStep, learningRate: number): Map<string, Tensor> {
  const start = new Map(model.parameters.map(({ value }) => [value.name, value.tensor!]));
  const feeds = new Map<string, Tensor>([
    ['input', golden.get('input')],
    ['targets', golden.get('targets')],
    ['learningRate', tensor('float32', [], Float32Array.of(learningRate))],
  ]);
  for (const { name, length } of state) {
    feeds.set(name, tensor('float32', [length], start.get(name)?.data.slice() as Float32Array | undefined));
  }
  return feeds;
}

/** The tensors of form C from a step's flat outputs, which are named after the parameters. */
const joined = (model: Model, results: State, suffix: string): Map<string, Tensor> =>
  gather(model, ({ value }) => {
    const flat = results.get(`${value.name}${suffix}`);
    return flat && ({ ...flat, dims: value.dims as number[] } satisfies Tensor);
  });

/** Every tensor of the golden file that begins with `prefix` is there, and as near as `bound` says. */
function expectNear(actual: State, golden: Golden, prefix: string, bound: (name: string) => number): void {
  const expected = [...golden.under(prefix)].filter(([name]) => !name.endsWith('num_batches_tracked'));
  for (const [name, reference] of expected) {
    if (prefix === 'grad.' && name === 'input') continue;
    expect(actual.get(name)?.dims, name).toEqual(reference.dims);
    expect(relativeError(actual.get(name)!, reference), name).toBeLessThanOrEqual(bound(name));
  }
}

/** Opens a graph in ONNX Runtime for as long as `use` takes. */
async function onRuntime<T>(graph: Graph, use: (run: Run) => Promise<T>): Promise<T> {
  const session = await Session.open(graph, { threads: 1 });
  try {
    return await use((feeds) => session.run(feeds));
  } finally {
    await session.dispose();
  }
}

/** Ten steps on one batch: the loss before each, and the state after them in form C. */
async function tenTimes(model: Model, { state }: TrainingStep, start: State, run: Run) {
  const losses = new Float64Array(10);
  let feeds = start;
  for (let i = 0; i < losses.length; i++) {
    const results = await run(feeds);
    losses[i] = Number(results.get('loss')!.data[0]);
    feeds = new Map([...feeds, ...state.map(({ name, next }) => [name, results.get(next)!] as const)]);
  }
  return { losses: tensor('float64', [10], losses), final: joined(model, feeds, '') };
}

describe.each(networks)('%s', async (name) => {
  const golden = await readGolden(name);

  test.each(forms)('in form %s, float64', (form) => {
    const model = modelOf(golden, form);
    const logits = evaluate(model.graph, new Map([['input', golden.get('input')]])).get('logits')!;
    expect(relativeError(logits, golden.get('eval.logits'))).toBeLessThan(1e-12);
    const step = stepOf(golden, model, gradientOnly);
    const results = evaluate(step.graph, firstFeeds(golden, model, step, 0));
    expect(relativeError(results.get('logits')!, golden.get('train.logits'))).toBeLessThan(1e-12);
    expect(relativeError(results.get('loss')!, golden.get('train.loss'))).toBeLessThan(1e-12);
    expectNear(joined(model, results, '.velocity.next'), golden, 'grad.', () => 1e-11);
    expectNear(joined(model, results, '.next'), golden, 'after.', () => 1e-12);
  });

  test.each(forms)('in form %s, float32 on ONNX Runtime', async (form) => {
    const model = modelOf(golden, form);
    const logits = await onRuntime(model.graph, async (run) => run(new Map([['input', golden.get('input')]])));
    expect(relativeError(logits.get('logits')!, golden.get('eval.logits'))).toBeLessThan(1e-5);
    const step = stepOf(golden, model, gradientOnly);
    const feeds = firstFeeds(golden, model, step, 0);
    const results = await onRuntime(lowerStandard(step.graph), async (run) => run(feeds));
    expect(relativeError(results.get('logits')!, golden.get('train.logits'))).toBeLessThan(1e-5);
    expect(relativeError(results.get('loss')!, golden.get('train.loss'))).toBeLessThan(1e-5);
    const own = golden.metadata<Record<string, number>>('gradientError');
    expectNear(joined(model, results, '.velocity.next'), golden, 'grad.', (key) => 3 * own[key]! + 1e-6);
    expectNear(joined(model, results, '.next'), golden, 'after.', () => 1e-5);
  });

  test.each(forms)('in form %s, ten steps of SGD on ONNX Runtime', async (form) => {
    const model = modelOf(golden, form);
    const step = stepOf(golden, model, tenSteps);
    const start = firstFeeds(golden, model, step, 0.01);
    const { losses, final } = await onRuntime(lowerStandard(step.graph), (run) => tenTimes(model, step, start, run));
    expect(relativeError(losses, golden.get('losses'))).toBeLessThan(1e-4);
    expectNear(final, golden, 'final.', () => 1e-4);
  });
});

test.each(['shortcut-a', 'shortcut-d'])('%s, ten steps of SGD in float64', async (name) => {
  const golden = await readGolden(name);
  const model = modelOf(golden, 'C');
  const step = stepOf(golden, model, tenSteps);
  const start = firstFeeds(golden, model, step, 0.01).set('learningRate', tensor('float64', [], Float64Array.of(0.01)));
  const { losses, final } = await tenTimes(model, step, start, (feeds) => evaluate(step.graph, feeds));
  expect(relativeError(losses, golden.get('losses'))).toBeLessThan(1e-12);
  expect(golden.under('final.').size).toBeGreaterThan(0);
  expectNear(final, golden, 'final.', () => 1e-11);
});

test.each(networks)('%s, the gradient by the pictures in float64', async (name) => {
  const golden = await readGolden(name);
  const { graph, loss } = withLoss(modelOf(golden, 'C').graph, { batch: golden.get('input').dims[0]! });
  const [dx] = gradient(graph, loss, [graph.inputs[0]!]);
  const feeds = new Map(['input', 'targets'].map((key) => [key, golden.get(key)]));
  const results = evaluate(graph, feeds, [dx!.name]);
  expect(relativeError(results.get(dx!.name)!, golden.get('grad.input'))).toBeLessThan(1e-12);
});

describe('SGD', async () => {
  const golden = await readGolden('sgd');
  const optimisers = golden.metadata<Record<string, Optimiser>>('cases');
  const rates = golden.metadata<number[]>('learningRates');

  /** The updates of both weights over all steps, against PyTorch's. */
  async function expectSteps(name: string, optimiser: Optimiser, run: (graph: Graph) => Run, tolerance: number) {
    for (const weight of ['a', 'b']) {
      const { dims } = golden.get(`start.${weight}`);
      const next = run(updateGraph(dims, optimiser));
      let [w, velocity] = [golden.get(`start.${weight}`), tensor('float64', dims) as Tensor];
      for (const [step, rate] of rates.entries()) {
        const given = { w, gradient: golden.get(`grad.${step}.${weight}`), velocity };
        const results = await next(
          new Map<string, Tensor>([...Object.entries(given), ['rate', tensor('float64', [], Float64Array.of(rate))]]),
        );
        [w, velocity] = [results.get('w.next')!, results.get('velocity.next')!];
        expect(relativeError(w, golden.get(`${name}.${step}.${weight}`)), `${weight}, step ${step}`).toBeLessThan(
          tolerance,
        );
      }
    }
  }

  test.each(Object.entries(optimisers))('%s', async (name, optimiser) => {
    await expectSteps(name, optimiser, (graph) => (feeds) => evaluate(graph, feeds), 1e-12);
    await expectSteps(name, optimiser, (graph) => (feeds) => evaluate(lowerStandard(graph), feeds), 1e-7);
    const lowered = (graph: Graph) => async (feeds: State) => {
      const float32 = new Map(
        [...feeds].map(([key, { dims, data }]) => [
          key,
          tensor('float32', dims, Float32Array.from(data as Float64Array)),
        ]),
      );
      return onRuntime(lowerStandard(graph), (run) => Promise.resolve(run(float32)));
    };
    await expectSteps(name, optimiser, lowered, 1e-6);
  });
});

/** One SgdUpdate: w, gradient, velocity, rate → w.next, velocity.next. */
function updateGraph(dims: readonly number[], { momentum, nesterov, weightDecay }: Optimiser): Graph {
  const b = new Builder('update');
  const inputs = ['w', 'gradient', 'velocity'].map((name) => b.input(name, dims));
  const attributes = { momentum, nesterov: nesterov ? 1 : 0, weight_decay: weightDecay };
  const { outputs } = b.node('SgdUpdate', [...inputs, b.input('rate', [])], attributes, 2);
  b.output(outputs[0]!, 'w.next');
  b.output(outputs[1]!, 'velocity.next');
  return b.graph;
}
