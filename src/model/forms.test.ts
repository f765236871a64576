/** The theorem of the paper's Figure 3: forms A, B and C are one function. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { smallConfig } from '../../test/random-configs.ts';
import { relativeError, seeded } from '../../test/tensors.ts';
import { cost } from '../graph/cost.ts';
import { interpret } from '../graph/interpret.ts';
import { forms } from './config.ts';
import { resnext } from './resnext.ts';
import { setWeights, weightSpecs } from './weights.ts';

test('forms A, B and C compute the same function at the same cost, for any config', () => {
  fc.assert(
    fc.property(smallConfig, fc.nat(), (config, seed) => {
      const r = seeded(seed);
      const models = forms.map((form) => resnext({ ...config, form }));
      const [, , inC] = models;
      const low = (name: string) => (name.endsWith('.running_var') ? 0.5 : -1);
      const weights = new Map(weightSpecs(inC!).map(({ name, dims }) => [name, r.tensor(dims, low(name), 1)]));
      const input = r.tensor([2, config.inputChannels, ...config.inputSize]);
      const [a, b, c] = models.map((model) => {
        setWeights(model, weights);
        const { parameters, macs } = cost(model.graph);
        return { output: [...interpret(model.graph, new Map([['input', input]])).values()][0]!, parameters, macs };
      });
      for (const other of [a!, b!]) {
        expect(other.output.dims).toEqual(c!.output.dims);
        expect(relativeError(other.output, c!.output)).toBeLessThan(1e-12);
        expect([other.parameters, other.macs]).toEqual([c!.parameters, c!.macs]);
      }
    }),
    { numRuns: 40 },
  );
});

/** The number of nodes per operator. */
const census = (form: 'A' | 'B' | 'C'): Record<string, number> => {
  const { graph } = resnext({ depths: [1], cardinality: 4, baseWidth: 16, width: 16, stem: 'cifar', form, classes: 0 });
  const counts: Record<string, number> = {};
  for (const { op } of graph.nodes) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
};

test('a block has the nodes of its figure', () => {
  const shared = { Add: 1, GlobalAveragePool: 1, Flatten: 1 };
  // one in the stem, one in the projection; per branch 1x1, 3x3, 1x1 in form A and 1x1, 3x3 in form B
  expect(census('A')).toEqual({
    ...shared,
    Conv: 2 + 3 * 4,
    BatchNormalization: 2 + 2 * 4 + 1,
    Relu: 2 + 2 * 4,
    Sum: 1,
  });
  expect(census('B')).toEqual({
    ...{ ...shared, Conv: 2 + 2 * 4 + 1, BatchNormalization: 2 + 2 * 4 + 1, Relu: 2 + 2 * 4, Concat: 1 },
  });
  expect(census('C')).toEqual({ ...shared, Conv: 2 + 3, BatchNormalization: 2 + 3, Relu: 2 + 2 });
});
