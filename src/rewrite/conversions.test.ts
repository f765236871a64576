/**
 * This package's own networks, converted between forms. A converted network equals the one that `resnext` builds in
 * that form, node by node and bit by bit, with the same names. So it computes and trains the same, and converts back
 * unchanged.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { smallConfig } from '../../test/random-configs.ts';
import { relativeError, sameBits, seeded } from '../../test/tensors.ts';
import { describe as describeNode, type Graph } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { type Form, forms, type ResNeXtOptions } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { variant } from '../model/variants.ts';
import { gatherWeights, setWeights, type Weights, weightSpecs } from '../model/weights.ts';
import { trainingStep } from '../step/step.ts';
import { elements, type Tensor, tensor } from '../tensor.ts';
import { convertGraph } from './convert.ts';

const pairs = forms.flatMap((from) => forms.filter((to) => to !== from).map((to) => [from, to] as const));

/** One model per form, all with the same weights. */
function built(options: ResNeXtOptions, draw: (name: string, dims: readonly number[]) => Tensor): Record<Form, Model> {
  const models = forms.map((form) => resnext({ ...options, form }));
  const weights = new Map(weightSpecs(models[2]!).map(({ name, dims }) => [name, draw(name, dims)]));
  for (const model of models) setWeights(model, weights);
  return Object.fromEntries(models.map((model) => [model.config.form, model])) as Record<Form, Model>;
}

function random(options: ResNeXtOptions, seed: number): Record<Form, Model> {
  const r = seeded(seed);
  return built(options, (name, dims) => r.tensor(dims, name.endsWith('.running_var') ? 0.5 : -1, 1));
}

/** A graph as plain data: its nodes by name, in any order. */
const nodesOf = (graph: Graph) =>
  new Map(
    [...graph.nodes].map(({ name, op, inputs, outputs, attributes }) => [
      name,
      {
        op,
        inputs: inputs.map((value) => value?.name),
        outputs: outputs.map((value) => value.name),
        dims: outputs.map(({ dims }) => dims),
        attributes: new Map([...attributes].sort(([a], [b]) => a.localeCompare(b))),
      },
    ]),
  );

const contentsOf = (graph: Graph): Weights => new Map([...graph.initializers].map(({ name, tensor: t }) => [name, t!]));

function expectSameGraph(actual: Graph, expected: Graph): void {
  expect(actual.nodes.size).toBe(expected.nodes.size);
  expect(nodesOf(actual)).toEqual(nodesOf(expected));
  const [found, wanted] = [contentsOf(actual), contentsOf(expected)];
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [name, contents] of found) {
    expect(contents.dims, name).toEqual(wanted.get(name)!.dims);
    expect(sameBits(contents, wanted.get(name)!), name).toBe(true);
  }
}

/** At least two branches: a block with one is the same in every form. */
const branched = smallConfig.map((config) => ({ ...config, cardinality: config.cardinality + 1 }));

test('a converted network equals the one built in that form, and converts back unchanged', () => {
  fc.assert(
    fc.property(branched, fc.nat(), (config, seed) => {
      const models = random(config, seed);
      const input = seeded(seed).tensor([2, config.inputChannels, ...config.inputSize]);
      const outputOf = (graph: Graph) => [...interpret(graph, new Map([['input', input]])).values()][0]!;
      const expected = outputOf(models.C.graph);
      for (const [from, to] of pairs) {
        const source = models[from].graph;
        const { graph, report } = convertGraph(source, to);
        expect(report.refusals).toEqual([]);
        expectSameGraph(graph, models[to].graph);
        expect(relativeError(outputOf(graph), expected)).toBeLessThan(1e-12);
        expectSameGraph(convertGraph(graph, from).graph, source);
      }
    }),
    { numRuns: 15 },
  );
});

test.each(forms)('a network in form %s is returned as it is when form %s is requested', (form) => {
  const { graph } = random({ depths: [1, 1], cardinality: 2, width: 8, baseWidth: 16, stem: 'cifar' }, 1)[form];
  const converted = convertGraph(graph, form);
  expect(converted.graph).toBe(graph);
  expect(converted.report).toEqual({
    ...{ changes: [], refusals: [], nodesBefore: graph.nodes.size, nodesAfter: graph.nodes.size },
  });
});

test('blocks with one branch are the same in every form', () => {
  const models = random({ depths: [1], cardinality: 1, width: 8, baseWidth: 16, stem: 'cifar' }, 2);
  for (const { graph } of Object.values(models)) {
    for (const form of forms) expect(convertGraph(graph, form).graph).toBe(graph);
  }
});

test('a network with blocks in different forms ends up in one form', () => {
  const models = random({ depths: [3], cardinality: 3, width: 8, baseWidth: 32, stem: 'cifar', inputSize: 4 }, 3);
  const input = seeded(4).tensor([1, 3, 4, 4]);
  const mixed = withBlocksFrom(models.C.graph, models.A.graph, 'layer1.0.', models.B.graph, 'layer1.2.');
  expect([...mixed.nodes].filter(({ op }) => op === 'Sum')).toHaveLength(1);
  expect([...mixed.nodes].filter(({ op }) => op === 'Concat')).toHaveLength(1);
  for (const form of forms) {
    const { graph } = convertGraph(mixed, form);
    expectSameGraph(graph, models[form].graph);
    const [a, b] = [mixed, graph].map((each) => interpret(each, new Map([['input', input]])).get('logits')!);
    expect(relativeError(b!, a!)).toBeLessThan(1e-12);
  }
});

/** The network in form C, but with block `a` as form A has it and block `b` as form B has it. */
function withBlocksFrom(inC: Graph, inA: Graph, a: string, inB: Graph, b: string): Graph {
  const { graph } = inC.clone();
  for (const [source, prefix] of [[inA, a] as const, [inB, b] as const]) {
    const values = new Map([...graph.nodes].flatMap(({ outputs }) => outputs.map((value) => [value.name, value])));
    const { graph: copy, map } = source.clone();
    const inside = [...copy.nodes].filter(({ name }) => name.startsWith(prefix));
    for (const node of inside) {
      node.inputs.forEach((value, i) => {
        const outer = value?.producer && !inside.includes(value.producer) ? values.get(value.name) : undefined;
        if (outer) copy.setInput(node, i, outer);
      });
      graph.nodes.add(node);
      for (const value of node.inputs) if (value && copy.initializers.has(value)) graph.initializers.add(value);
    }
    const last = [...source.nodes].find(({ name }) => name === `${prefix}relu3`)!;
    graph.replaceAllUses(values.get(last.outputs[0]!.name)!, map.get(last.outputs[0]!)!);
    graph.removeDead();
  }
  return graph;
}

describe('training', () => {
  const options = { depths: [1, 1], cardinality: 3, width: 8, baseWidth: 24, stem: 'cifar', inputSize: 6 } as const;
  const models = random({ ...options, classes: 4 }, 5);
  const { C } = models;
  const r = seeded(6);
  const [input, targets] = [r.tensor([3, 3, 6, 6]), r.tensor([3, 4], 0, 1)];
  const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;
  const settings = { batch: 3, optimizer, decayOf: () => 1e-3 };

  /** The result of a step, parameters and momentum in form C. The momentum is the gradient plus weight decay. */
  function stepOf(graph: Graph, form: Form): Map<string, Tensor> {
    const step = trainingStep(graph, settings);
    const weights = contentsOf(graph);
    const feeds = new Map<string, Tensor>([
      ...[...step.graph.inputs].map(({ name, dims }) => [name, tensor('float32', dims as number[])] as const),
      ...step.state.flatMap(({ name, length }) => {
        const data = weights.get(name)?.data as Float32Array | undefined;
        return data ? [[name, tensor('float32', [length], data)] as const] : [];
      }),
      ...Object.entries({ input, targets, learningRate: tensor('float32', [], Float32Array.of(0.1)) }),
    ]);
    const results = interpret(step.graph, feeds);
    const joined = (suffix: string) =>
      [...gathered(models[form], results, suffix)].map(([name, part]) => [name + suffix, part] as const);
    const whole = ['loss', 'logits'].map((name) => [name, results.get(name)!] as const);
    return new Map<string, Tensor>([...whole, ...joined('.next'), ...joined('.momentum.next')]);
  }

  const gathered = (model: Model, results: Weights, suffix: string): Weights =>
    gatherWeights(model, ({ value }) => {
      const part = results.get(`${value.name}${suffix}`);
      return part && { ...part, dims: value.dims as number[] };
    });

  const expected = stepOf(C.graph, 'C');
  test.each(pairs)('a network built in form %s and converted to %s takes the same step', (from, to) => {
    const results = stepOf(convertGraph(models[from].graph, to).graph, to);
    expect([...results.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, result] of results) {
      expect(relativeError(result, expected.get(name)!), name).toBeLessThan(1e-12);
    }
  });
});

/** Distinct numbers without a generator, since the network may be large. */
function counted(start: { value: number }, dims: readonly number[]): Tensor {
  const data = new Float32Array(elements(dims));
  for (let i = 0; i < data.length; i++) data[i] = (start.value++ % 16777213) / 2 ** 20 - 7;
  return tensor('float32', dims, data);
}

test.each([
  ...['resnext11_8x16d_w16', 'resnext20_64x1d', 'resnext20_4x16d', 'resnext29_32x4d', 'resnext14_32x4d'],
  'resnext50_2x40d',
])('%s keeps its bits through forms A and B', (name) => {
  const start = { value: 0 };
  const { A, B, C } = built(variant(name), (_, dims) => counted(start, dims));
  const inA = convertGraph(C.graph, 'A').graph;
  expectSameGraph(inA, A.graph);
  const inB = convertGraph(inA, 'B').graph;
  expectSameGraph(inB, B.graph);
  expectSameGraph(convertGraph(inB, 'C').graph, C.graph);
});

test('reports what was done, block by block', () => {
  const { graph } = random({ depths: [2], cardinality: 4, width: 8, baseWidth: 16, stem: 'cifar' }, 7).C;
  const { report } = convertGraph(graph, 'A');
  expect(report.changes.map(({ node, text }) => `${node}: ${text}`)).toEqual([
    'Conv "layer1.0.conv2": split a convolution with 4 groups into 4 branches.',
    'Conv "layer1.1.conv2": split a convolution with 4 groups into 4 branches.',
    'Concat "layer1.0.concat": split a convolution of 4 concatenated branches into a sum of 4 convolutions.',
    'Concat "layer1.1.concat": split a convolution of 4 concatenated branches into a sum of 4 convolutions.',
  ]);
  const { nodesBefore, nodesAfter } = report;
  expect([nodesBefore, nodesAfter]).toEqual([graph.nodes.size, graph.nodes.size + 2 * (7 * 4 + 1 - 7)]);
  expect(describeNode([...graph.nodes][0]!)).toBe('Conv "conv1"');
});
