/**
 * PyTorch's results in float64: all networks in forms A, B and C with the weights, images and targets in `test/golden`,
 * from the interpreter on the training graph before lowering; and the optimizer by itself.
 */
import { describe, expect, test } from 'vitest';
import { Builder } from '../src/graph/builder.ts';
import type { Graph, Value } from '../src/graph/graph.ts';
import { interpret } from '../src/graph/interpret.ts';
import { lowerStandard } from '../src/lower/standard.ts';
import { forms } from '../src/model/config.ts';
import { stateDict } from '../src/model/weights.ts';
import { Session } from '../src/platform/node.ts';
import { bindOptimizer, type OptimizerSettings } from '../src/step/optimizers.ts';
import { type Tensor, tensor } from '../src/tensor.ts';
import { readGolden } from './golden-files.ts';
import {
  expectNear,
  gradients,
  inputGradientGraph,
  joined,
  networks,
  networksWithInputGradient,
  openNetwork,
  type Run,
  tenSteps,
} from './golden-networks.ts';
import { relativeError } from './tensors.ts';

describe.each(networks)('%s', (name) => {
  test.each(forms)('in form %s', async (form) => {
    const network = await openNetwork(name, form);
    const { golden, model, step, start } = network;
    const logits = interpret(model.graph, new Map([['input', golden.get('input')]])).get('logits')!;
    expect(relativeError(logits, golden.get('eval.logits'))).toBeLessThan(1e-12);
    const results = interpret(step.graph, start);
    expect(relativeError(results.get('logits')!, golden.get('train.logits'))).toBeLessThan(1e-12);
    expect(relativeError(results.get('loss')!, golden.get('train.loss'))).toBeLessThan(1e-12);
    expectNear(gradients(network, results), golden, 'grad.', () => 1e-11);
    expectNear(joined(model, results, '.next'), golden, 'after.', () => 1e-12);
  });

  test("weights have torchvision's names, or timm's where torchvision has none", async () => {
    const { golden, model } = await openNetwork(name, 'A');
    const names = [...golden.under('state.').keys()];
    expect([...stateDict(model, golden.under('state.')).keys()].sort()).toEqual(names.sort());
  });
});

test.each(networksWithInputGradient)('%s, the gradient of the images', async (name) => {
  const network = await openNetwork(name, 'C');
  const feeds = new Map(['input', 'targets'].map((key) => [key, network.golden.get(key)]));
  const dx = interpret(inputGradientGraph(network), feeds).get('input.gradient')!;
  expect(relativeError(dx, network.golden.get('grad.input'))).toBeLessThan(1e-12);
});

test.each(['shortcut-a', 'shortcut-d'])('%s, ten steps of SGD', async (name) => {
  const network = await openNetwork(name, 'C');
  const { losses, final } = await tenSteps(network, (feeds) => interpret(network.step.graph, feeds));
  expect(relativeError(losses, network.golden.get('losses'))).toBeLessThan(1e-12);
  expect(network.golden.under('final.').size).toBeGreaterThan(0);
  expectNear(final, network.golden, 'final.', () => 1e-11);
});

describe('SGD by itself', async () => {
  const golden = await readGolden('sgd');
  const rates = golden.metadata<number[]>('learningRates');

  /** Three updates of a weight, each as near to PyTorch's as `tolerance`. */
  async function expectUpdates(name: string, weight: string, run: Run, tolerance: number): Promise<void> {
    let w = golden.get(`start.${weight}`);
    let momentum: Tensor = tensor('float64', w.dims);
    for (const [i, learningRate] of rates.entries()) {
      const rate = tensor('float64', [], Float64Array.of(learningRate));
      const given = { w, gradient: golden.get(`grad.${i}.${weight}`), momentum, rate };
      const results = await run(new Map(Object.entries(given)));
      [w, momentum] = [results.get('w.next')!, results.get('momentum.next')!];
      const error = relativeError(w, golden.get(`${name}.${i}.${weight}`));
      expect(error, `${weight} after step ${i}`).toBeLessThan(tolerance);
    }
  }

  const optimizers = golden.metadata<Record<string, SgdCase>>('cases');
  test.each(Object.entries(optimizers))('%s', async (name, optimizer) => {
    for (const weight of ['a', 'b']) {
      const graph = updateGraph(golden.get(`start.${weight}`).dims, optimizer);
      const body = lowerStandard(graph);
      const session = await Session.open(body, { threads: 1 });
      await expectUpdates(name, weight, (feeds) => interpret(graph, feeds), 1e-12);
      await expectUpdates(name, weight, (feeds) => interpret(body, feeds), 1e-7);
      await expectUpdates(name, weight, (feeds) => session.run(inFloat32(feeds)), 1e-6);
      await session.dispose();
    }
  });
});

const inFloat32 = (feeds: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map(
    [...feeds].map(([name, { dims, data }]) => {
      return [name, tensor('float32', dims, Float32Array.from(data as ArrayLike<number>))];
    }),
  );

type SgdCase = OptimizerSettings['sgd'] & { readonly weightDecay: number };

/** One update: w, gradient, momentum, rate → w.next, momentum.next. */
function updateGraph(dims: readonly number[], { weightDecay: decay, ...settings }: SgdCase): Graph {
  const b = new Builder('update');
  const [w, gradient, momentum] = ['w', 'gradient', 'momentum'].map((name) => b.input(name, dims)) as [
    Value,
    Value,
    Value,
  ];
  const site = { name: 'w', w, gradient, slots: [momentum], rate: b.input('rate', []), scalars: [], decay };
  const [next] = bindOptimizer({ name: 'sgd', ...settings }).update(b, [site]);
  const [nextWeight, nextMomentum] = next!;
  b.output(nextWeight!, 'w.next');
  b.output(nextMomentum!, 'momentum.next');
  return b.graph;
}
