import { expect, test } from 'vitest';
import { thisMachine } from '#platform';
import { Builder } from '../graph/builder.ts';
import { cost } from '../graph/cost.ts';
import { dataTypeOf } from '../graph/data-types.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { setWeights } from '../model/weights.ts';
import { benchmark, tune } from './benchmark.ts';
import { compareGraphs } from './compare.ts';

const model = resnext({
  depths: [1, 1],
  stem: 'cifar',
  width: 16,
  cardinality: 8,
  baseWidth: 16,
  inputSize: 8,
  classes: 3,
});
setWeights(model, initialWeights(model, 1));

test('a benchmark counts the operations of the given graph', async () => {
  const result = await benchmark(model.graph, { batch: 2, threads: 1, runs: 7 });
  const { milliseconds, fastest } = result;
  expect(result).toMatchObject({ batch: 2, threads: 1, runs: 7 });
  expect(fastest).toBeGreaterThan(0);
  expect(milliseconds).toBeGreaterThanOrEqual(fastest);
  expect(result.imagesPerSecond).toBeCloseTo(2000 / milliseconds, 6);
  expect(result.gflops).toBeCloseTo((4e-6 * cost(model.graph).macs) / milliseconds, 9);
});

test('tuning tries every width, every number of threads and two half batches', async () => {
  const { block, cores } = await thisMachine();
  const { tuning, trials } = await tune(model.graph, { batch: 2, runs: 2 });
  const widths = [4, 8].filter((width) => block && width < block);
  expect(Object.keys(tuning.mergeGroups).map(Number)).toEqual(widths);
  expect(tuning.threads).toBeGreaterThanOrEqual(1);
  expect(tuning.threads).toBeLessThanOrEqual(cores);
  const choices = trials.map(({ choice }) => choice);
  expect(choices).toEqual(expect.arrayContaining(widths.map((width) => `groups of ${width} merged`)));
  expect(choices.at(-1)).toBe(cores > 1 ? 'two half batches, at best' : '1 threads');
  for (const { milliseconds } of trials) expect(milliseconds).toBeGreaterThan(0);
});

test.each([
  ['batch', { batch: 0 }],
  ['threads', { threads: 1.5 }],
  ['runs', { runs: -1 }],
])('refused: %s', async (name, options) => {
  await expect(benchmark(model.graph, options)).rejects.toThrow(
    `${name} is ${Object.values(options)}, but expected a whole number ${name === 'threads' ? 'from 1 to 256' : 'of at least 1'}.`,
  );
});

test('refused: an unknown input size', async () => {
  const { graph } = model.graph.clone();
  graph.inputs[0]!.dims = ['N', 3, 'H', 'W'];
  await expect(benchmark(graph, { runs: 1 })).rejects.toThrow(
    'The input "input" is float32 [N,3,H,W], but random inputs need known dimensions, except for the batch.',
  );
});

test('a graph with byte inputs can be timed', async () => {
  const b = new Builder('bytes');
  const pixels = b.input('pixels', ['N', 8, 8, 3], 'uint8');
  b.output(b.op('Cast', [pixels], { to: dataTypeOf('float32') }));
  expect((await benchmark(b.graph, { runs: 1 })).milliseconds).toBeGreaterThan(0);
});

test.each([{ batch: 0 }, { runs: 1.5 }, { seed: Number.NaN }])('a comparison with %o is refused', async (options) => {
  const [name] = Object.keys(options);
  await expect(compareGraphs(model.graph, model.graph, options)).rejects.toThrow(`${name} is `);
});

test('graphs whose outputs differ in shape are not compared', async () => {
  const other = resnext({ ...model.config, classes: 2 });
  setWeights(other, initialWeights(other, 1));
  await expect(compareGraphs(model.graph, other.graph, { runs: 0 })).rejects.toThrow(
    'The output "logits" is [2,3] in the first graph, but [2,2] in the second.',
  );
});
