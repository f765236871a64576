/**
 * Steps of a small network against PyTorch (`test/golden/make_steps.py`): drop path and dropout with the same masks, and
 * what `optimizers.test.ts` lacks: momentum and AdamW over twenty steps, and batches in two parts.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Graph } from '../src/graph/graph.ts';
import { lowerBlocked } from '../src/lower/blocked.ts';
import { lowerStandard } from '../src/lower/standard.ts';
import type { Form, ResNeXtConfig } from '../src/model/config.ts';
import { resnext } from '../src/model/resnext.ts';
import { scatterWeights } from '../src/model/weights.ts';
import { Session, thisMachine } from '../src/platform/node.ts';
import { trainingStep } from '../src/step/step.ts';
import { type Tensor, tensor } from '../src/tensor.ts';
import { readGolden } from './golden-files.ts';
import { expectNear, joined, type Tensors } from './golden-networks.ts';
import { relativeError } from './tensors.ts';

const golden = await readGolden('steps');
const block = (await thisMachine()).block!;
const lowerings = { standard: lowerStandard, blocked: (graph: Graph) => lowerBlocked(graph, block) };
const onRuntime = Object.entries(lowerings).flatMap(([lowering, lower]) =>
  (['A', 'C'] as const).map((form) => ({ form, lowering, lower })),
);

const scalar = (value: number): Tensor => tensor('float32', [], Float32Array.of(value));
const learningRate = golden.metadata<number>('learningRate');
const momentum = golden.metadata<number>('momentum');
const weightDecay = golden.metadata<number>('weightDecay');

describe.each(Object.entries(golden.metadata<Record<string, Omit<ResNeXtConfig, 'form'>>>('masked')))(
  'drop path and dropout, %s',
  (name, config) => {
    const input = golden.get(`${name}.input`);
    const rates = golden.metadata<{ dropPath: number; dropout: number }>('rates');
    const stepIn = (form: Form) => {
      const model = resnext({ ...config, form });
      const step = trainingStep(model.graph, {
        batch: input.dims[0]!,
        optimizer: { name: 'sgd', momentum, nesterov: true },
        decayOf: (_, isVector) => (isVector ? 0 : weightDecay),
        ...rates,
      });
      return { model, ...step };
    };

    /** Rows of a mask in one step. */
    function maskAt(mask: string, t: number, dims: readonly number[]): Tensor {
      const { data } = golden.get(`${name}.mask.${mask}`);
      const size = dims.reduce((product, n) => product * n, 1);
      return tensor('float32', dims, (data as Float32Array).slice(t * size, (t + 1) * size));
    }

    test.each(onRuntime)('form $form, $lowering', async ({ form, lower }) => {
      const { model, graph, state, masks } = stepIn(form);
      const session = await Session.open(lower(graph), { threads: 1, optimization: 'disabled' });
      onTestFinished(() => session.dispose());
      const weights = scatterWeights(model, golden.under(`${name}.state.`));
      let current: Tensors = new Map(
        state.map(({ name, role, length }) => [
          name,
          tensor('float32', [length], role === 'slot' ? undefined : (weights.get(name)!.data as Float32Array)),
        ]),
      );
      const expected = golden.get(`${name}.losses`);
      const losses: number[] = [];
      for (let t = 0; t < expected.dims[0]!; t++) {
        const dimsOf = (mask: string) => graph.inputs.find((value) => value.name === mask)!.dims as number[];
        const feeds = new Map<string, Tensor>([
          ...current,
          ['input', input],
          ['targets', golden.get(`${name}.targets`)],
          ['learningRate', scalar(learningRate)],
          ...masks.map((mask) => [mask.name, maskAt(mask.name, t, dimsOf(mask.name))] as const),
        ]);
        const results = await session.run(feeds);
        losses.push(Number(results.get('loss')!.data[0]));
        current = new Map(state.map(({ name, next }) => [name, results.get(next)!]));
      }
      expect(relativeError(tensor('float64', expected.dims, Float64Array.from(losses)), expected)).toBeLessThan(1e-5);
      expectNear(joined(model, current), golden, `${name}.final.`, () => 1e-5);
    });

    test('each block has its rate, the first one none', () => {
      const { masks } = stepIn('A');
      const n = config.depths.reduce((sum, depth) => sum + depth, 0);
      const paths = Array.from({ length: n - 1 }, (_, i) => {
        const block = i + 1;
        return { name: `dropPath.${block}`, kind: 'dropPath', block, rate: (rates.dropPath * block) / (n - 1) };
      });
      expect(masks).toEqual([...paths, { name: 'dropout', kind: 'dropout', block: 0, rate: rates.dropout }]);
    });
  },
);
