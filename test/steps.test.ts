/**
 * Steps of a small network against PyTorch (`test/golden/make_steps.py`): drop path and dropout with the same masks, and
 * what `optimizers.test.ts` lacks: plain momentum, AdamW with averages and batches in two parts, over twenty steps.
 */
import { describe, expect, test } from 'vitest';
import type { Form, ResNeXtConfig } from '../src/model/config.ts';
import { resnext } from '../src/model/resnext.ts';
import type { AverageOptions } from '../src/step/average.ts';
import type { Optimizer, OptimizerSettings } from '../src/step/optimizers.ts';
import { trainingStep } from '../src/step/step.ts';
import { Trainer, type TrainerOptions } from '../src/step/trainer.ts';
import { elements, type Tensor, tensor } from '../src/tensor.ts';
import { readGolden } from './golden-files.ts';
import { expectNear } from './golden-networks.ts';
import { onRuntime, opened, type Steps, stepsOf } from './golden-steps.ts';
import { relativeError } from './tensors.ts';

const golden = await readGolden('steps');
const start = await readGolden('optimizers');
const learningRate = golden.metadata<number>('learningRate');
const momentum = golden.metadata<number>('momentum');
const weightDecay = golden.metadata<number>('weightDecay');
const sgd = (nesterov: boolean): Optimizer => ({ name: 'sgd', momentum, nesterov });
const decayed = (decay: number) => ({ decayOf: (_: string, isVector: boolean) => (isVector ? 0 : decay) });

describe.each(Object.entries(golden.metadata<Record<string, Omit<ResNeXtConfig, 'form'>>>('masked')))(
  'drop path and dropout, %s',
  (name, config) => {
    const [input, targets] = [golden.get(`${name}.input`), golden.get(`${name}.targets`)];
    const losses = golden.get(`${name}.losses`);
    const rates = golden.metadata<{ dropPath: number; dropout: number }>('rates');
    const options = { batch: input.dims[0]!, optimizer: sgd(true), ...decayed(weightDecay), ...rates };

    /** The masks of step t. */
    function masksAt(t: number): [string, Tensor][] {
      return [...golden.under(`${name}.mask.`)].map(
        ([
          mask,
          {
            dims: [, ...rest],
            data,
          },
        ]) => {
          const dims = mask === 'dropout' ? rest : [...rest, 1, 1, 1];
          const size = elements(dims);
          return [mask, tensor('float32', dims, (data as Float32Array).slice((t - 1) * size, t * size))];
        },
      );
    }

    const given: Steps = {
      ...{ steps: losses.dims[0]!, learningRate, start: golden.under(`${name}.state.`) },
      feedsAt: (t) => new Map([['input', input], ['targets', targets], ...masksAt(t)]),
    };

    test.each(onRuntime)('form $form, $lowering', async ({ form, lower }) => {
      const found = await stepsOf(resnext({ ...config, form }), options, given, opened(lower));
      expect(relativeError(found.losses, losses)).toBeLessThan(1e-5);
      expectNear(found.final, golden, `${name}.final.`, () => 1e-5);
    });

    test('each block has its rate, the first one none', () => {
      const { masks } = trainingStep(resnext({ ...config, form: 'A' }).graph, options);
      const n = config.depths.reduce((sum, depth) => sum + depth, 0);
      const paths = Array.from({ length: n - 1 }, (_, i) => {
        const block = i + 1;
        return { name: `dropPath.${block}`, kind: 'dropPath', block, rate: (rates.dropPath * block) / (n - 1) };
      });
      expect(masks).toEqual([...paths, { name: 'dropout', kind: 'dropout', block: 0, rate: rates.dropout }]);
    });
  },
);

describe('twenty steps', () => {
  const steps = 20;
  const modelIn = (form: Form) => resnext({ ...start.metadata<Omit<ResNeXtConfig, 'form'>>('config'), form });
  const [input, targets] = [start.get('input'), start.get('targets')];
  const adamw = golden.metadata<{ rate: number; decay: number; settings: OptimizerSettings['adamw'] }>('adamw');
  const averages = Object.entries(golden.metadata<Record<string, AverageOptions>>('averages'));
  const batch = input.dims[0]!;
  const ofAdamW = { batch, optimizer: { name: 'adamw', ...adamw.settings } as const, ...decayed(adamw.decay) };
  const given = {
    ...{ steps, learningRate, start: start.under('state.') },
    feedsAt: () =>
      new Map([
        ['input', input],
        ['targets', targets],
      ]),
  };

  test.each(onRuntime)('of plain momentum, form $form, $lowering', async ({ form, lower }) => {
    const options = { batch, optimizer: sgd(false), ...decayed(weightDecay) };
    const plain = { ...given, learningRate: golden.metadata<number>('plainRate') };
    const found = await stepsOf(modelIn(form), options, plain, opened(lower));
    expect(relativeError(found.losses, golden.get('momentum.losses'))).toBeLessThan(1e-5);
    expectNear(found.final, golden, 'momentum.final.', () => 1e-5);
  });

  test.each(onRuntime)('of AdamW, with an average, form $form, $lowering', async ({ form, lower }) => {
    const [name, average] = averages.at(-1)!;
    const more = { ...given, learningRate: adamw.rate, average };
    const found = await stepsOf(modelIn(form), ofAdamW, more, opened(lower));
    expect(relativeError(found.losses, golden.get('adamw.losses'))).toBeLessThan(1e-5);
    expectNear(found.final, golden, 'adamw.final.', () => 1e-5);
    expectNear(found.average, golden, `adamw.${name}.`, () => 1e-5);
  });

  /** The trainer after the steps, and their losses. */
  async function trained(form: Form, options: TrainerOptions, rate: number) {
    const trainer = await Trainer.open(modelIn(form), start.under('state.'), { ...options, threads: 1 });
    trainer.images.set(input.data as Float32Array);
    trainer.targets.set(targets.data as Float32Array);
    const found = new Float64Array(steps);
    for (let t = 0; t < steps; t++) {
      await trainer.step(rate);
      found[t] = trainer.loss[0]!;
    }
    const { weights, average } = trainer;
    await trainer.dispose();
    return { weights, average, losses: tensor('float64', [steps], found) };
  }

  test.each(averages)('of the trainer, with the average "%s"', async (name, average) => {
    const found = await trained('C', { ...ofAdamW, ...average }, adamw.rate);
    expectNear(found.average, golden, `adamw.${name}.`, () => 1e-5);
  });

  test.each(onRuntime)('of batches in parts, form $form, $lowering', async ({ form, lowering }) => {
    const accumulate = golden.metadata<number>('parts');
    const options = { batch, optimizer: sgd(true), ...decayed(weightDecay), accumulate, lowering };
    const found = await trained(form, options, learningRate);
    expect(relativeError(found.losses, golden.get('parts.losses'))).toBeLessThan(1e-5);
    expectNear(found.weights, golden, 'parts.final.', () => 1e-5);
  });
});
