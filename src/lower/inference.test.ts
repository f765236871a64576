import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Session } from '#platform';
import { smallConfig } from '../../test/random-configs.ts';
import { relativeError, seeded } from '../../test/tensors.ts';
import type { Graph } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { forms } from '../model/config.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { setWeights, weightSpecs } from '../model/weights.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { lowerInference } from './inference.ts';

/** Groups of 4, 8 and 16 channels, with normalizations that have an effect. */
function network(form: 'A' | 'B' | 'C' = 'C'): Graph {
  const options = { depths: [1, 1, 1], stem: 'cifar', width: 16, cardinality: 8, baseWidth: 16, inputSize: 8 } as const;
  const model = resnext({ ...options, classes: 5, form });
  const weights = initialWeights(model, 1);
  const r = seeded(5);
  for (const [name, { dims }] of weights)
    if (/bn|running|downsample.1/.test(name)) weights.set(name, r.tensor(dims, 0.5, 1.5));
  setWeights(model, weights);
  return model.graph;
}

/** In float64, folded weights are not rounded to float32, which logits that nearly cancel would magnify. */
const toFloat64 = ({ dims, data }: Tensor<'float32'>): Tensor => tensor('float64', dims, Float64Array.from(data));

const feeds = new Map([['input', seeded(6).tensor([3, 3, 8, 8])]]);
const groupsOf = (graph: Graph) =>
  graph
    .sorted()
    .filter(({ op }) => op === 'Conv')
    .map(({ attributes }) => Number(attributes.get('group')?.value ?? 1))
    .filter((g) => g > 1);

test.each(['A', 'B', 'C'] as const)(
  'form %s keeps its logits when normalization is folded and narrow groups are merged',
  async (form) => {
    const source = network(form);
    const { graph, report } = lowerInference(source, { block: 16 });
    expect([...graph.nodes].map(({ op }) => op)).not.toContain('BatchNormalization');
    expect(groupsOf(graph)).toEqual([2, 4, 8]);
    expect(report).toMatchObject({ nodesBefore: source.nodes.size, nodesAfter: graph.nodes.size, refusals: [] });
    const expected = interpret(source, feeds).get('logits')!;
    expect(relativeError(interpret(graph, feeds).get('logits')!, expected)).toBeLessThan(1e-6); // folded weights are float32
    const session = await Session.open(graph);
    expect(relativeError((await session.run(feeds)).get('logits')!, expected)).toBeLessThan(1e-6);
    await session.dispose();
  },
);

test('merging alone changes nothing in float64', () => {
  const folded = lowerInference(network()).graph;
  const merged = lowerInference(folded, { block: 16 }).graph;
  const [a, b] = [folded, merged].map((graph) => interpret(graph, feeds).get('logits')!);
  expect([groupsOf(folded), groupsOf(merged)]).toEqual([
    [8, 8, 8],
    [2, 4, 8],
  ]);
  expect(relativeError(b!, a!)).toBeLessThan(1e-12);
});

test('any network keeps its logits', () => {
  fc.assert(
    fc.property(smallConfig, fc.constantFrom(...forms), fc.nat(), (config, form, seed) => {
      const model = resnext({ ...config, form });
      const r = seeded(seed);
      const low = (name: string) => (name.endsWith('.running_var') ? 0.5 : -1);
      const draw = (name: string, dims: readonly number[]) => toFloat64(r.tensor(dims, low(name), 1));
      setWeights(model, new Map(weightSpecs(model).map(({ name, dims }) => [name, draw(name, dims)])));
      const input = new Map([['input', r.tensor([2, config.inputChannels, ...config.inputSize])]]);
      const [before, after] = [model.graph, lowerInference(model.graph, { block: 8 }).graph].map((graph) => {
        return [...interpret(graph, input).values()][0]!;
      });
      expect(relativeError(after!, before!)).toBeLessThan(1e-10);
    }),
    { numRuns: 20, seed: 1 },
  );
});

test('measurements override the cost rule', () => {
  const { graph, report } = lowerInference(network(), { block: 16, mergeGroups: { 4: false } });
  expect(groupsOf(graph)).toEqual([8, 4, 8]);
  expect(report.refusals.map(({ text }) => text)).toEqual([
    'Conv "layer1.0.conv2" has 8 groups of 4 channels; merging 4 at a time to fill blocks of 16 is slower.',
  ]);
});

test('the source stays unchanged, and is returned if there is nothing to do', () => {
  const source = network();
  const before = [...source.nodes].map(({ op }) => op);
  const done = lowerInference(source, { block: 16 }).graph;
  expect([...source.nodes].map(({ op }) => op)).toEqual(before);
  expect(lowerInference(done, { block: 16 }).graph).toBe(done);
});
