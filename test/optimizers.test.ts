/**
 * Optimizers, losses and averages against PyTorch (`test/golden/make_optimizers.py`): by themselves in float64, and
 * together over steps of a small network, by the interpreter, both lowerings, and the trainer with one graph and two.
 */
import { describe, expect, test } from 'vitest';
import { gradient } from '../src/grad/gradient.ts';
import { Builder } from '../src/graph/builder.ts';
import type { Graph } from '../src/graph/graph.ts';
import { interpret } from '../src/graph/interpret.ts';
import { lowerBlocked } from '../src/lower/blocked.ts';
import { lowerStandard } from '../src/lower/standard.ts';
import type { Form, ResNeXtConfig } from '../src/model/config.ts';
import { resnext } from '../src/model/resnext.ts';
import { scatterWeights } from '../src/model/weights.ts';
import { runOnce, thisMachine } from '../src/platform/node.ts';
import { losses, lossNames } from '../src/step/losses.ts';
import { bindOptimizer, type Optimizer, type OptimizerSettings } from '../src/step/optimizers.ts';
import type { StateSpec } from '../src/step/state.ts';
import { trainingStep } from '../src/step/step.ts';
import { Trainer } from '../src/step/trainer.ts';
import { type Tensor, tensor } from '../src/tensor.ts';
import { readGolden } from './golden-files.ts';
import { expectNear, joined, type Tensors } from './golden-networks.ts';
import { relativeError } from './tensors.ts';

const golden = await readGolden('optimizers');
const block = (await thisMachine()).block!;

const run = (graph: Graph, feeds: Tensors): Promise<Tensors> =>
  runOnce(graph, feeds, { threads: 1, optimization: 'disabled' });

const scalar = (value: number): Tensor => tensor('float64', [], Float64Array.of(value));

describe('AdamW by itself', () => {
  type Settings = OptimizerSettings['adamw'] & { readonly weightDecay: number };
  const rates = golden.metadata<number[]>('learningRates');

  test.each(Object.entries(golden.metadata<Record<string, Settings>>('adamw')))('%s', (name, settings) => {
    const { weightDecay, ...rest } = settings;
    const optimizer = bindOptimizer({ name: 'adamw', ...rest });
    for (const weight of ['a', 'b']) {
      const b = new Builder('update');
      const vector = (each: string) => b.input(each, golden.get(`start.${weight}`).dims);
      const [w, dw, m, v] = ['w', 'gradient', 'm', 'v'].map(vector);
      const scalars = Object.keys(optimizer.scalars(1)).map((each) => b.input(each, []));
      const rate = b.input('rate', []);
      const site = { name: 'w', w: w!, gradient: dw!, slots: [m!, v!], rate, scalars, decay: weightDecay };
      const next = optimizer.update(b, site);
      for (const [i, each] of ['w', 'm', 'v'].entries()) b.output(next[i]!, `${each}.next`);
      const zero = tensor('float64', w!.dims as number[]);
      let state = new Map([
        ['w', golden.get(`start.${weight}`)],
        ['m', zero],
        ['v', zero],
      ] as [string, Tensor][]);
      for (const [i, learningRate] of rates.entries()) {
        const feeds = new Map([
          ...state,
          ['gradient', golden.get(`grad.${i}.${weight}`)],
          ['rate', scalar(learningRate)],
        ]);
        for (const [each, value] of Object.entries(optimizer.scalars(i + 1))) feeds.set(each, scalar(value));
        const results = interpret(b.graph, feeds);
        state = new Map(['w', 'm', 'v'].map((each) => [each, results.get(`${each}.next`)!]));
        const expected = golden.get(`${name}.${i}.${weight}`);
        expect(relativeError(state.get('w')!, expected), `${weight} after step ${i}`).toBeLessThan(1e-12);
      }
    }
  });
});

describe.each(lossNames)('the loss %s', (name) => {
  const b = new Builder('loss');
  const logits = b.input('logits', golden.get('loss.logits').dims);
  const targets = b.input('targets', golden.get('loss.targets').dims);
  b.output(losses[name](b, logits, targets), 'loss');
  const [dz] = gradient(b.graph, b.graph.outputs[0]!, [logits]);
  b.output(dz!, 'gradient');
  const feeds = new Map(['logits', 'targets'].map((each) => [each, golden.get(`loss.${each}`)]));

  function expectEqual(results: Tensors, tolerance: number): void {
    expect(relativeError(results.get('loss')!, golden.get(`${name}.loss`))).toBeLessThan(tolerance);
    expect(relativeError(results.get('gradient')!, golden.get(`${name}.grad`))).toBeLessThan(tolerance);
  }

  test('in float64', () => expectEqual(interpret(b.graph, feeds), 1e-12));
  test.each(Object.entries({ standard: lowerStandard, blocked: (graph: Graph) => lowerBlocked(graph, block) }))(
    'on the runtime, %s',
    async (_, lower) => expectEqual(await run(lower(b.graph), feeds), 1e-6),
  );
});

describe('AdamW on binary cross-entropy, with an average', () => {
  const steps = 4;
  const learningRate = golden.metadata<number>('learningRate');
  const decay = golden.metadata<number>('weightDecay');
  const optimizer: Optimizer = { name: 'adamw', ...golden.metadata<OptimizerSettings['adamw']>('settings') };
  const options = {
    batch: 4,
    loss: 'binary-cross-entropy',
    optimizer,
    decayOf: (_: string, isVector: boolean) => (isVector ? 0 : decay),
    average: golden.metadata<number>('average'),
  } as const;
  const modelIn = (form: Form) => resnext({ ...golden.metadata<Omit<ResNeXtConfig, 'form'>>('config'), form });

  type Run = (feeds: Tensors) => Tensors | Promise<Tensors>;

  /** Four steps of a graph: the losses, and the weights and their average in form C. */
  async function steps4(form: Form, open: (graph: Graph) => Run) {
    const model = modelIn(form);
    const { graph, state } = trainingStep(model.graph, options);
    const step = open(graph);
    const weights = scatterWeights(model, golden.under('state.'));
    const startOf = ({ role, parameter, length }: StateSpec) =>
      tensor('float32', [length], role === 'slot' ? undefined : (weights.get(parameter)!.data as Float32Array));
    let current: Tensors = new Map(state.map((spec) => [spec.name, startOf(spec)]));
    const found: number[] = [];
    for (let t = 1; t <= steps; t++) {
      const scalars = { learningRate, ...bindOptimizer(optimizer).scalars(t) };
      const feeds = new Map<string, Tensor>([
        ...current,
        ...['input', 'targets'].map((name) => [name, golden.get(name)] as const),
      ]);
      for (const [name, value] of Object.entries(scalars))
        feeds.set(name, tensor('float32', [], Float32Array.of(value)));
      const results = await step(feeds);
      found.push(Number(results.get('loss')!.data[0]));
      current = new Map(state.map(({ name, next }) => [name, results.get(next)!]));
    }
    const losses = tensor('float64', [steps], Float64Array.from(found));
    return { losses, final: joined(model, current), average: joined(model, current, '.average') };
  }

  test.each(['A', 'C'] as const)('form %s, in float64', async (form) => {
    const { losses, final, average } = await steps4(form, (graph) => (feeds) => interpret(graph, feeds));
    expect(relativeError(losses, golden.get('losses'))).toBeLessThan(1e-7); // of the scalars, which are float32
    expectNear(final, golden, 'final.', () => 1e-6);
    expectNear(average, golden, 'average.', () => 1e-6);
  });

  const lowerings = { standard: lowerStandard, blocked: (graph: Graph) => lowerBlocked(graph, block) };
  test.each(
    Object.entries(lowerings).flatMap(([lowering, lower]) =>
      (['A', 'C'] as const).map((form) => ({ form, lowering, lower })),
    ),
  )('form $form on the runtime, $lowering', async ({ form, lower }) => {
    const found = await steps4(form, (graph) => {
      const lowered = lower(graph);
      return (feeds) => run(lowered, feeds);
    });
    expect(relativeError(found.losses, golden.get('losses'))).toBeLessThan(1e-4);
    expectNear(found.final, golden, 'final.', () => 1e-3);
    expectNear(found.average, golden, 'average.', () => 1e-3);
  });

  /** The trainer's state after the steps. */
  async function trained(form: Form, given: Partial<Parameters<typeof Trainer.open>[2]> = {}) {
    const trainer = await Trainer.open(modelIn(form), golden.under('state.'), { ...options, ...given, threads: 1 });
    trainer.images.set(golden.get('input').data as Float32Array);
    trainer.targets.set(golden.get('targets').data as Float32Array);
    for (let t = 0; t < steps; t++) await trainer.step(learningRate);
    const { weights, slots, average, steps: count } = trainer;
    await trainer.dispose();
    return { weights, slots, average, steps: count };
  }

  test.each(['A', 'C'] as const)('form %s, the trainer, with one graph and with two', async (form) => {
    const whole = await trained(form);
    expectNear(whole.weights, golden, 'final.', () => 1e-3);
    expectNear(whole.average, golden, 'average.', () => 1e-3);
    let reduced = 0;
    const reduce = async (gradients: Float32Array) => {
      reduced += gradients.length;
    };
    const split = await trained(form, { reduce });
    expect(split).toEqual(whole);
    const count = [...whole.slots.get('m')!.values()].reduce((sum, { data }) => sum + data.length, 0);
    expect(reduced).toBe(steps * count);
  });
});
