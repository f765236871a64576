/**
 * PyTorch's results in float32: all networks in forms A, B and C on ONNX Runtime, with the training step as it is used,
 * compared with PyTorch's float64 results. The error of a gradient may be three times that of PyTorch in float32, which
 * the golden files contain, but at least 1e-6, for tensors where PyTorch is accidentally accurate.
 * The networks start from random weights, trained weights, or weights whose maps vary little around large means.
 */
import { describe, expect, test } from 'vitest';
import type { Graph } from '../src/graph/graph.ts';
import { lowerBlocked } from '../src/lower/blocked.ts';
import { lowerStandard } from '../src/lower/standard.ts';
import { forms } from '../src/model/config.ts';
import { Session, thisMachine } from '../src/platform/node.ts';
import { tensor } from '../src/tensor.ts';
import {
  expectNear,
  gradients,
  inputGradientGraph,
  joined,
  learningRate,
  networks,
  openNetwork,
  type Run,
  tenSteps,
} from './golden-networks.ts';
import { relativeError } from './tensors.ts';

const block = (await thisMachine()).block!;
const lowerings = {
  standard: lowerStandard,
  blocks: (graph: Graph) => lowerBlocked(graph, block),
};

/** Opens a graph in ONNX Runtime, calls `use`, and closes it. */
async function onRuntime<T>(graph: Graph, use: (run: Run) => Promise<T>): Promise<T> {
  const session = await Session.open(graph, { threads: 1 });
  try {
    return await use((feeds) => session.run(feeds));
  } finally {
    await session.dispose();
  }
}

const cases = forms.flatMap((form) =>
  (Object.keys(lowerings) as (keyof typeof lowerings)[]).map((l) => [form, l] as const),
);

describe.each(networks)('%s', (name) => {
  test.each(cases)('in form %s, %s', async (form, layout) => {
    const network = await openNetwork(name, form);
    const { golden, model, step, start } = network;
    const images = new Map([['input', golden.get('input')]]);
    const logits = await onRuntime(model.graph, async (run) => (await run(images)).get('logits')!);
    expect(relativeError(logits, golden.get('eval.logits'))).toBeLessThan(1e-5);

    start.set('learningRate', tensor('float32', [], Float32Array.of(learningRate)));
    const { first, losses, final } = await onRuntime(lowerings[layout](step.graph), (run) => tenSteps(network, run));
    expect(relativeError(first.get('logits')!, golden.get('train.logits'))).toBeLessThan(1e-5);
    expect(relativeError(first.get('loss')!, golden.get('train.loss'))).toBeLessThan(1e-6);
    const own = golden.metadata<Record<string, number>>('gradientError');
    expectNear(gradients(network, first), golden, 'grad.', (key) => 3 * own[key]! + 1e-6);
    expectNear(joined(model, first, '.next'), golden, 'after.', () => 1e-6);
    expect(relativeError(losses, golden.get('losses'))).toBeLessThan(1e-4);
    // Later steps may be close to a ReLU's kink, where a single flip changes a small gradient by a hundredth.
    expectNear(final, golden, 'final.', () => 2e-3);
  });
});

describe('the gradient of max pooling goes to the first of several equal maxima', async () => {
  const network = await openNetwork('ties', 'C');
  const { golden } = network;
  const own = golden.metadata<Record<string, number>>('gradientError');
  const bound = (key: string) => 3 * own[key]! + 1e-6;

  test.each(['conv1.weight', 'input'])('the gradient of %s would differ if it went to the last', (key) => {
    const distance = relativeError(golden.get(`last.${key}`), golden.get(`grad.${key}`));
    expect(distance).toBeGreaterThan(10_000 * bound(key));
  });

  test.each(Object.entries(lowerings))('the gradient of the images, %s', async (_, lower) => {
    const feeds = new Map(['input', 'targets'].map((key) => [key, golden.get(key)]));
    const results = await onRuntime(lower(inputGradientGraph(network)), async (run) => run(feeds));
    expect(relativeError(results.get('input.gradient')!, golden.get('grad.input'))).toBeLessThanOrEqual(bound('input'));
  });
});
