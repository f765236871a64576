/** Masks: where they are, what they depend on, and that each share of a batch has its own rows. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { smallModel as model } from '../../test/small-model.ts';
import { relativeError, seeded } from '../../test/tensors.ts';
import { lowerStandard } from '../lower/standard.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { scatterWeights } from '../model/weights.ts';
import { runOnce } from '../platform/node.ts';
import { elements, tensor } from '../tensor.ts';
import { drawMask, type Mask } from './masks.ts';
import { weightsOfGroups } from './parameter-groups.ts';
import { gradientName } from './state.ts';
import { trainingStep } from './step.ts';
import { Trainer, type TrainerOptions } from './trainer.ts';

const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;
const rates = { dropPath: 0.5, dropout: 0.5 };

const maskNames = (frozen: readonly string[], attention: 'none' | 'se' = 'none') => {
  const deep = resnext({ ...model.config, depths: [2, 2, 2], attention });
  const still = scatterWeights(deep, weightsOfGroups(initialWeights(deep, 1), frozen));
  return trainingStep(deep.graph, { batch: 2, optimizer, ...rates, frozen: still }).masks.map(({ name }) => name);
};

describe('what is masked', () => {
  const blocks = ['dropPath.1', 'dropPath.2', 'dropPath.3', 'dropPath.4', 'dropPath.5'];
  test('all blocks but the first, and the features', () => expect(maskNames([])).toEqual([...blocks, 'dropout']));
  test('blocks with attention', () => expect(maskNames([], 'se')).toEqual([...blocks, 'dropout']));
  test('not what is frozen', () => {
    expect(maskNames(['stem', 'layer1', 'layer2'])).toEqual(['dropPath.4', 'dropPath.5', 'dropout']);
    expect(maskNames(['layer2', 'fc'])).toEqual(['dropPath.1', 'dropPath.4', 'dropPath.5']);
  });
  test('nothing without a rate', () => {
    const { graph, masks } = trainingStep(model.graph, { batch: 2, optimizer, dropPath: 0, dropout: 0 });
    expect(masks).toEqual([]);
    const plain = trainingStep(model.graph, { batch: 2, optimizer }).graph;
    expect(graph.sorted().map(({ name }) => name)).toEqual(plain.sorted().map(({ name }) => name));
  });
});

test('a mask keeps the mean, and depends on seed, step and block alone', () => {
  const mask: Mask = { name: 'dropPath.3', kind: 'dropPath', block: 3, rate: 0.2 };
  const draw = (seed: number, step: number, block = 3, length = 20_000) => {
    const data = new Float32Array(length);
    drawMask({ ...mask, block }, data, seed, step);
    return data;
  };
  const drawn = draw(1, 0);
  expect(new Set(drawn)).toEqual(new Set([0, Math.fround(1 / 0.8)]));
  expect(drawn.reduce((sum, x) => sum + x, 0) / drawn.length).toBeCloseTo(1, 1); // deviation 0.0035
  expect(draw(1, 0)).toEqual(drawn);
  for (const other of [draw(2, 0), draw(1, 1), draw(1, 0, 2)]) expect(other).not.toEqual(drawn);
});

const batch = 4;
const seed = 5;
const images = seeded(2).tensor([batch, 3, 8, 8]).data;

async function opened(given: Partial<TrainerOptions>): Promise<Trainer> {
  const deep = resnext({ ...model.config, depths: [2] });
  const options = { batch, optimizer, threads: 1, seed, ...rates, ...given };
  const trainer = await Trainer.open(deep, initialWeights(deep, 1), options);
  onTestFinished(() => trainer.dispose());
  trainer.images.set(images);
  for (let n = 0; n < batch; n++) trainer.targets[n * 2 + (n % 2)] = 1;
  return trainer;
}

test('training continues with the masks of the next step', async () => {
  const [whole, first, second, other] = await Promise.all([opened({}), opened({}), opened({}), opened({ seed: 6 })]);
  for (let t = 0; t < 4; t++) await whole.step(0.1);
  for (let t = 0; t < 2; t++) await first.step(0.1);
  second.setState(first);
  for (let t = 0; t < 2; t++) await second.step(0.1);
  expect(second.weights).toEqual(whole.weights);
  for (let t = 0; t < 4; t++) await other.step(0.1);
  expect(other.weights).not.toEqual(whole.weights);
});

/** The gradients of images `from` to `to`, with the rows of the masks that belong to them. */
async function gradientsOf(trainer: Trainer, from: number, to: number): Promise<number[]> {
  const deep = resnext({ ...model.config, depths: [2] });
  const { graph, state, masks } = trainingStep(deep.graph, { batch: to - from, optimizer, ...rates, split: true });
  const wholes = new Map([
    ['input', trainer.images],
    ['targets', trainer.targets],
  ]);
  for (const mask of masks) {
    const [, ...dims] = graph.inputs.find(({ name }) => name === mask.name)!.dims as number[];
    const data = new Float32Array(batch * elements(dims));
    drawMask(mask, data, seed, 0);
    wholes.set(mask.name, data);
  }
  const weights = scatterWeights(deep, initialWeights(deep, 1));
  const feeds = graph.inputs.map(({ name, dims }) => {
    const all = wholes.get(name);
    const row = (all?.length ?? 0) / batch;
    const data = all?.slice(from * row, to * row) ?? (weights.get(name)!.data as Float32Array);
    return [name, tensor('float32', dims as number[], data)] as const;
  });
  const results = await runOnce(lowerStandard(graph), new Map(feeds), { threads: 1 });
  const parameters = state.filter(({ role }) => role === 'parameter');
  return parameters.flatMap(({ name }) => [...(results.get(gradientName(name))!.data as Float32Array)]);
}

test.each([
  { accumulate: 2, replicas: 1 },
  { accumulate: 1, replicas: 2 },
])('each of $accumulate × $replicas parts of a batch has its rows of the masks', async (parts) => {
  let found: number[] = [];
  const reduce = async (all: Float32Array) => {
    found = [...all];
  };
  const trainer = await opened({ ...parts, reduce, lowering: 'standard' });
  const halves = [await gradientsOf(trainer, 0, 2), await gradientsOf(trainer, 2, 4)];
  await trainer.step(0.1);
  const mean = halves[0]!.map((x, i) => (x + halves[1]![i]!) / 2);
  const vector = (values: readonly number[]) => ({ data: Float64Array.from(values) });
  expect(relativeError(vector(found), vector(mean))).toBeLessThan(1e-6);
});
