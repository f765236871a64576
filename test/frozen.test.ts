/**
 * Fine-tuning with frozen parts, compared with PyTorch (`test/golden/make_frozen.py`): three steps of SGD with a
 * separate learning rate for the backbone. Frozen modules are in evaluation mode and have no gradient. Covers the
 * interpreter, both lowerings, and the trainer.
 */
import { expect, test } from 'vitest';
import type { Graph } from '../src/graph/graph.ts';
import { interpret } from '../src/graph/interpret.ts';
import { opTypeOf } from '../src/graph/ops.ts';
import { lowerBlocked } from '../src/lower/blocked.ts';
import { lowerStandard } from '../src/lower/standard.ts';
import { type Form, forms, type ResNeXtConfig } from '../src/model/config.ts';
import { type Model, resnext } from '../src/model/resnext.ts';
import { countNames, scatterWeights, weightSpecs } from '../src/model/weights.ts';
import { Session, thisMachine } from '../src/platform/node.ts';
import { groupOf, head, weightsOfGroups } from '../src/step/parameter-groups.ts';
import { type TrainingStep, trainingStep } from '../src/step/step.ts';
import { Trainer } from '../src/step/trainer.ts';
import { type Tensor, tensor } from '../src/tensor.ts';
import { readGolden } from './golden-files.ts';
import { expectNear, joined, nextFeeds, type Run, type Tensors } from './golden-networks.ts';
import { relativeError } from './tensors.ts';

const golden = await readGolden('frozen');
const cases = Object.entries(golden.metadata<Record<string, string[]>>('cases'));
const learningRate = golden.metadata<number>('learningRate');
const backboneRate = golden.metadata<number>('backboneRate');
const options = {
  batch: 4,
  optimizer: { name: 'sgd', momentum: 0.9, nesterov: true },
  decayOf: () => 1e-4,
} as const;
const block = (await thisMachine()).block!;

interface Tuning {
  readonly model: Model;
  readonly step: TrainingStep;
  readonly feeds: Map<string, Tensor>;
}

const inFloat64 = ({ dims, data }: Tensor): Tensor => tensor('float64', dims, Float64Array.from(data as Float32Array));

function tuning(form: Form, freeze: readonly string[], convert = (contents: Tensor) => contents): Tuning {
  const model = resnext({ ...golden.metadata<Omit<ResNeXtConfig, 'form'>>('config'), form });
  const state = golden.under('state.');
  const still = scatterWeights(model, weightsOfGroups(state, freeze));
  const frozen = new Map([...still].map(([name, contents]) => [name, convert(contents)]));
  const rateOf = (name: string) => (groupOf(name) === head ? 1 : backboneRate);
  const step = trainingStep(model.graph, { ...options, frozen, rateOf });
  const weights = scatterWeights(model, state);
  const feeds = new Map<string, Tensor>([
    ['input', golden.get('input')],
    ['targets', golden.get('targets')],
    ['learningRate', tensor('float32', [], Float32Array.of(learningRate))],
  ]);
  for (const { name, length } of step.state) {
    feeds.set(name, tensor('float32', [length], weights.get(name)?.data as Float32Array | undefined));
  }
  return { model, step, feeds };
}

/** Runs three steps and returns the losses and the final state in form C. */
async function threeSteps({ model, step, feeds }: Tuning, run: Run): Promise<{ losses: Tensor; final: Tensors }> {
  const losses: number[] = [];
  let next: Tensors = feeds;
  for (let i = 0; i < 3; i++) {
    const results = await run(next);
    losses.push(Number(results.get('loss')!.data[0]));
    next = nextFeeds(next, step, results);
  }
  return { losses: tensor('float64', [3], Float64Array.from(losses)), final: joined(model, next) };
}

const count = (graph: Graph, op: string): number => [...graph.nodes].filter((node) => opTypeOf(node) === op).length;

test.each(cases)('%s frozen: no gradient, state, normalization or dead node of a frozen part', (name, freeze) => {
  const { step, model } = tuning('C', freeze);
  const trained = weightSpecs(model).filter(({ name }) => !freeze.includes(groupOf(name)));
  const parameters = trained.filter(({ trainable }) => trainable);
  expect(step.state.map(({ name }) => name).filter((name) => freeze.includes(groupOf(name)))).toEqual([]);
  expect(step.state).toHaveLength(trained.length + parameters.length);
  const weights = parameters.filter(({ dims }) => dims.length === 4).length;
  expect(count(step.graph, 'ConvWeightGrad')).toBe(weights);
  expect(count(step.graph, 'BatchNormTraining')).toBe(weights);
  expect(count(step.graph, 'BatchNormalization')).toBe(0);
  const inputGradients = { prefix: 2, middle: 8, backbone: 0 };
  expect(count(step.graph, 'ConvInputGrad')).toBe(inputGradients[name as keyof typeof inputGradients]);
});

test.each(forms.flatMap((form) => cases.map(([name, freeze]) => [name, form, freeze] as const)))(
  '%s frozen, form %s, in float64',
  async (name, form, freeze) => {
    const here = tuning(form, freeze, inFloat64);
    here.feeds.set('learningRate', tensor('float64', [], Float64Array.of(learningRate)));
    const { losses, final } = await threeSteps(here, (feeds) => interpret(here.step.graph, feeds));
    expect(relativeError(losses, golden.get(`${name}.losses`))).toBeLessThan(1e-8);
    expectNear(final, golden, `${name}.final.`, () => 1e-7); // the golden file's precision
  },
);

const lowerings = { standard: lowerStandard, blocked: (graph: Graph) => lowerBlocked(graph, block) };

test.each(
  Object.entries(lowerings).flatMap(([layout, lower]) =>
    cases.flatMap(([name, freeze]) => (['A', 'C'] as const).map((form) => ({ name, form, layout, freeze, lower }))),
  ),
)('$name frozen, form $form, on the runtime, $layout', async ({ name, form, freeze, lower }) => {
  const here = tuning(form, freeze);
  const session = await Session.open(lower(here.step.graph), { threads: 1, optimization: 'disabled' });
  const { losses, final } = await threeSteps(here, (feeds) => session.run(feeds));
  await session.dispose();
  expect(relativeError(losses, golden.get(`${name}.losses`))).toBeLessThan(1e-5);
  expectNear(final, golden, `${name}.final.`, () => 1e-4);
});

test.each(cases)('%s frozen: the trainer returns bit-identical frozen tensors', async (name, freeze) => {
  const { model } = tuning('A', []);
  const state = golden.under('state.');
  const trainer = await Trainer.open(model, state, { ...options, freeze, backboneRate, threads: 1 });
  trainer.images.set(golden.get('input').data as Float32Array);
  trainer.targets.set(golden.get('targets').data as Float32Array);
  for (let i = 0; i < 3; i++) await trainer.step(learningRate);
  const { weights, slots } = trainer;
  await trainer.dispose();
  expectNear(weights, golden, `${name}.final.`, () => 1e-4);
  const specs = weightSpecs(model);
  const counts = countNames(model).filter((each) => freeze.includes(groupOf(each)));
  expect([...weights.keys()]).toEqual([...specs.map((spec) => spec.name), ...counts]);
  for (const each of counts) expect(weights.get(each)).toEqual(state.get(each));
  for (const spec of specs) {
    const isFrozen = freeze.includes(groupOf(spec.name));
    const isSame = `${weights.get(spec.name)!.data}` === `${state.get(spec.name)!.data}`;
    expect(isSame, spec.name).toBe(isFrozen);
    expect(slots.get('momentum')!.has(spec.name), spec.name).toBe(spec.trainable && !isFrozen);
  }
});

test('a group that the model does not have, and nothing left to train', async () => {
  const { model } = tuning('C', []);
  const open = (freeze: readonly string[]) => Trainer.open(model, golden.under('state.'), { ...options, freeze });
  await expect(open(['layer7'])).rejects.toThrow(
    'freeze is "layer7", but expected parameter groups of this model: stem, layer1, layer2, fc, or "backbone" for all but the last.',
  );
  await expect(open(['backbone', 'fc'])).rejects.toThrow(/leaves nothing to train/);
});
