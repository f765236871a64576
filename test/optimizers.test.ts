/**
 * Optimizers, losses and averages against PyTorch (`test/golden/make_optimizers.py`): by themselves in float64, and
 * together over steps of a small network, by the interpreter, both lowerings, and the trainer with one graph and two.
 */
import { describe, expect, test } from 'vitest';
import { gradient } from '../src/grad/gradient.ts';
import { Builder } from '../src/graph/builder.ts';
import type { Graph } from '../src/graph/graph.ts';
import { interpret } from '../src/graph/interpret.ts';
import type { Form, ResNeXtConfig } from '../src/model/config.ts';
import { resnext } from '../src/model/resnext.ts';
import { runOnce } from '../src/platform/node.ts';
import { losses, lossNames } from '../src/step/losses.ts';
import {
  type BoundOptimizer,
  bindOptimizer,
  type Optimizer,
  type OptimizerName,
  type OptimizerSettings,
} from '../src/step/optimizers.ts';
import type { StepOptions } from '../src/step/step.ts';
import { Trainer } from '../src/step/trainer.ts';
import { type Tensor, tensor } from '../src/tensor.ts';
import { readGolden } from './golden-files.ts';
import { expectNear, type Tensors } from './golden-networks.ts';
import { interpreted, lowerings, onRuntime, opened, stepsOf } from './golden-steps.ts';
import { relativeError } from './tensors.ts';

const golden = await readGolden('optimizers');

const run = (graph: Graph, feeds: Tensors): Promise<Tensors> =>
  runOnce(graph, feeds, { threads: 1, optimization: 'disabled' });

const scalar = (value: number): Tensor => tensor('float64', [], Float64Array.of(value));

describe('an optimizer by itself', () => {
  type Cases = Readonly<Record<OptimizerName, Readonly<Record<string, { readonly weightDecay: number }>>>>;
  const rates = golden.metadata<number[]>('learningRates');
  const cases = Object.entries(golden.metadata<Cases>('alone')).flatMap(([kind, named]) =>
    Object.entries(named).map(([name, settings]) => ({ kind: kind as OptimizerName, name, settings })),
  );

  /** The gradients of both weights together are clipped to the optimizer's norm. */
  function gradientOf(weight: string, step: number, { clipNorm = Infinity }: BoundOptimizer): Tensor {
    const [a, b] = ['a', 'b'].map((each) => [...(golden.get(`grad.${step}.${each}`).data as Float64Array)]);
    const scale = Math.min(1, clipNorm / Math.hypot(...a!, ...b!));
    const { dims, data } = golden.get(`grad.${step}.${weight}`);
    return tensor(
      'float64',
      dims,
      (data as Float64Array).map((x) => x * scale),
    );
  }

  test.each(cases)('$kind: $name', ({ kind, name, settings: { weightDecay, ...rest } }) => {
    const optimizer = bindOptimizer({ name: kind, ...rest } as Optimizer);
    for (const weight of ['a', 'b']) {
      const b = new Builder('update');
      const vector = (each: string) => b.input(each, golden.get(`start.${weight}`).dims);
      const [w, dw] = ['w', 'gradient'].map(vector);
      const kept = ['w', ...optimizer.slots];
      const scalars = Object.keys(optimizer.scalars(1)).map((each) => b.input(each, []));
      const rate = b.input('rate', []);
      const site = {
        name: 'w',
        w: w!,
        gradient: dw!,
        slots: optimizer.slots.map(vector),
        rate,
        scalars,
        decay: weightDecay,
      };
      const [next] = optimizer.update(b, [site]);
      for (const [i, each] of kept.entries()) b.output(next![i]!, `${each}.next`);
      const zero = tensor('float64', w!.dims as number[]);
      let state = new Map<string, Tensor>(optimizer.slots.map((slot) => [slot, zero]));
      state.set('w', golden.get(`start.${weight}`));
      for (const [i, learningRate] of rates.entries()) {
        const feeds = new Map([
          ...state,
          ['gradient', gradientOf(weight, i, optimizer)],
          ['rate', scalar(learningRate)],
        ]);
        for (const [each, value] of Object.entries(optimizer.scalars(i + 1))) feeds.set(each, scalar(value));
        const results = interpret(b.graph, feeds);
        state = new Map(kept.map((each) => [each, results.get(`${each}.next`)!]));
        const expected = golden.get(`${name}.${i}.${weight}`);
        const tolerance = kind === 'lamb' ? 1e-8 : 1e-12; // constants between operators are float32
        expect(relativeError(state.get('w')!, expected), `${weight} after step ${i}`).toBeLessThan(tolerance);
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
  test.each(Object.entries(lowerings))('on the runtime, %s', async (_, lower) =>
    expectEqual(await run(lower(b.graph), feeds), 1e-6),
  );
});

const modelIn = (form: Form) => resnext({ ...golden.metadata<Omit<ResNeXtConfig, 'form'>>('config'), form });

const batchOf = new Map(['input', 'targets'].map((name) => [name, golden.get(name)]));
const start = { start: golden.under('state.'), feedsAt: () => batchOf };

describe('twenty steps', () => {
  interface Case {
    readonly rate: number;
    readonly decay: number;
    readonly settings: object;
  }
  const clipNorm = golden.metadata<number>('clipNorm');
  const wholesOf = (form: Form) =>
    new Map(modelIn(form).parameters.map(({ value, source }) => [value.name, source.name]));
  const cases = Object.entries(golden.metadata<Record<OptimizerName, Case>>('networks'));
  const optionsOf = (form: Form, name: string, { settings, decay }: Case): StepOptions => ({
    batch: 4,
    wholeOf: (parameter) => wholesOf(form).get(parameter)!,
    optimizer: { name, ...settings } as Optimizer,
    decayOf: (_, isVector) => (isVector ? 0 : decay),
    ...(name === 'sgd' && { clipNorm }),
  });

  describe.each(cases)('of %s', (name, given) => {
    const steps = { ...start, steps: 20, learningRate: given.rate };
    test.each(onRuntime)('form $form on the runtime, $lowering', async ({ form, lower }) => {
      const found = await stepsOf(modelIn(form), optionsOf(form, name, given), steps, opened(lower));
      expect(relativeError(found.losses, golden.get(`${name}.losses`))).toBeLessThan(1e-5);
      expectNear(found.final, golden, `${name}.final.`, () => 1e-5);
    });
  });
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
  } as const;
  const kept = { average: golden.metadata<number>('average') };
  const given = { ...start, steps, learningRate, average: kept };
  test.each(['A', 'C'] as const)('form %s, in float64', async (form) => {
    const { losses, final, average } = await stepsOf(modelIn(form), options, given, interpreted);
    expect(relativeError(losses, golden.get('losses'))).toBeLessThan(1e-7); // of the scalars, which are float32
    expectNear(final, golden, 'final.', () => 1e-6);
    expectNear(average, golden, 'average.', () => 1e-6);
  });

  test.each(onRuntime)('form $form on the runtime, $lowering', async ({ form, lower }) => {
    const found = await stepsOf(modelIn(form), options, given, opened(lower));
    expect(relativeError(found.losses, golden.get('losses'))).toBeLessThan(1e-4);
    expectNear(found.final, golden, 'final.', () => 1e-3);
    expectNear(found.average, golden, 'average.', () => 1e-3);
  });

  /** The trainer's state after the steps. */
  async function trained(form: Form, more: Partial<Parameters<typeof Trainer.open>[2]> = {}) {
    const trainer = await Trainer.open(modelIn(form), golden.under('state.'), {
      ...options,
      ...kept,
      ...more,
      threads: 1,
    });
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
