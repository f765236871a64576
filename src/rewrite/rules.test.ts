/**
 * What the conversion rules rewrite and what they refuse, on one block with a single change each. A rewritten block
 * computes the same in float64 to 1e-12. A refused block is reported in one sentence and stays as it was.
 */
import { describe, expect, test } from 'vitest';
import { relativeError, seeded } from '../../test/tensors.ts';
import { Builder } from '../graph/builder.ts';
import type { Graph, Node, Value } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import type { Form } from '../model/config.ts';
import { resnext } from '../model/resnext.ts';
import { setWeights, weightSpecs } from '../model/weights.ts';
import { tensor } from '../tensor.ts';
import { convertGraph } from './convert.ts';

const block = 'layer1.0';

/** One block and access to its parts: nodes by their path within the block, layers of a branch by its number. */
class Block {
  readonly b: Builder;
  constructor(graph: Graph) {
    this.b = new Builder(graph);
  }
  get graph(): Graph {
    return this.b.graph;
  }
  node(path: string): Node {
    return [...this.graph.nodes].find(({ name }) => name === `${block}.${path}`)!;
  }
  out(path: string): Value {
    return this.node(path).outputs[0]!;
  }
  weight(path: string): Value {
    return this.node(path).inputs[1]!;
  }
  each(layer: string): Node[] {
    return [0, 1, 2, 3].map((i) => this.node(`branches.${i}.${layer}`));
  }
  ints(path: string, name: string, ...value: number[]): void {
    this.node(path).attributes.set(name, { kind: 'ints', value });
  }
  zeros(path: string, index: number, ...dims: number[]): void {
    this.graph.setInput(this.node(path), index, this.b.parameter(`${path}.zeros`, dims, tensor('float32', dims)));
  }
  /** Biases with few bits, so that their sums are exact. */
  bias(node: Node, start: number): void {
    const data = Float32Array.from({ length: node.inputs[1]!.dims![0] as number }, (_, i) => (start + i) / 64);
    const contents = tensor('float32', [data.length], data);
    this.graph.setInput(node, 2, this.b.parameter(`${node.name}.bias`, contents.dims, contents));
  }
  /** Inserts a node between another and its input. */
  insert(before: string, op: 'Relu' | 'Softmax' | 'MaxPool' | 'AveragePool', name: string): void {
    const attributes = op.endsWith('Pool') ? { kernel_shape: [1, 1] } : {};
    this.graph.setInput(this.node(before), 0, this.b.op(op, [this.node(before).inputs[0]], attributes, name));
  }
  /** Removes a node: its readers read its input instead. */
  skip(node: Node): void {
    this.graph.replaceAllUses(node.outputs[0]!, node.inputs[0]!);
    this.graph.removeDead();
  }
  replace(old: Value, replacement: Value): void {
    this.graph.replaceAllUses(old, replacement);
    this.graph.removeDead();
  }
  chain(operands: readonly Value[]): Value {
    return operands.slice(1).reduce((sum, term) => this.b.op('Add', [sum, term]), operands[0]!);
  }
  get addends(): Value[] {
    return this.node('sum').inputs as Value[];
  }
}

/** A network of one block with four branches of two channels. */
function blockIn(form: Form): Block {
  const options = { depths: [1], cardinality: 4, width: 8, baseWidth: 16, stem: 'cifar', inputSize: 5 } as const;
  const model = resnext({ ...options, classes: 3, form });
  const r = seeded(8);
  const low = (name: string) => (name.endsWith('.running_var') ? 0.5 : -1);
  setWeights(model, new Map(weightSpecs(model).map(({ name, dims }) => [name, r.tensor(dims, low(name), 1)])));
  return new Block(model.graph);
}

type Change = (n: Block) => void;
type Success = readonly [form: Form, what: string, Change];
type Failure = readonly [...Success, reason: string];
const refused = (...failure: Failure): Failure => failure;

const image = seeded(9).tensor([2, 3, 5, 5]);

function expectSameOutputs(graph: Graph, source: Graph): void {
  const [before, after] = [source, graph].map((each) => interpret(each, new Map([['input', image]])));
  expect([...after!.keys()]).toEqual([...before!.keys()]);
  for (const [name, value] of after!) expect(relativeError(value, before!.get(name)!), name).toBeLessThan(1e-12);
}

function expectTidy(graph: Graph): void {
  const names = [...graph.nodes, ...graph.initializers].map(({ name }) => name).filter((name) => name !== '');
  expect(new Set(names).size).toBe(names.length);
  for (const { name, users } of graph.initializers) expect(users.size, name).toBeGreaterThan(0);
  for (const { name } of graph.inputs) expect(name === 'input' || names.includes(name)).toBe(true);
}

/** The group count of every convolution. */
const groupsIn = (graph: Graph) =>
  [...graph.nodes]
    .flatMap(({ op, attributes }) => (op === 'Conv' ? Number(attributes.get('group')!.value) : []))
    .sort();

/** Form A with no normalization after its sum or in the projection: one chain of Adds holds everything. */
function bare(n: Block): void {
  n.skip(n.node('bn3'));
  n.skip(n.node('downsample.1'));
  n.replace(n.out('add'), n.chain([n.out('downsample.0'), ...n.addends]));
}

const merged: readonly Success[] = [
  ['A', 'unchanged', () => {}],
  ['A', 'with a chain of Adds', (n) => n.replace(n.out('sum'), n.chain(n.addends))],
  ['A', 'with a sum that starts from zero', (n) => n.replace(n.out('sum'), n.chain([n.b.number(0), ...n.addends]))],
  ['A', 'with the projection in the chain of Adds', bare],
  ['A', 'with biases to add up', (n) => n.each('conv3').map((node, i) => n.bias(node, i))],
  [
    'A',
    'with biases in one branch only',
    (n) => ['conv1', 'conv2', 'conv3'].map((layer) => n.bias(n.each(layer)[2]!, 5)),
  ],
  ['A', 'with a sum that is also an output', (n) => n.b.output(n.out('sum'))],
  ['A', 'with nameless nodes', (n) => [...n.graph.nodes].map((node) => Object.assign(node, { name: '' }))],
  ['A', 'with numbered names', (n) => [...n.graph.initializers].map((w, i) => Object.assign(w, { name: `c_${i}` }))],
  ['B', 'unchanged', () => {}],
  ['B', 'with a negative axis', (n) => n.node('concat').attributes.set('axis', { kind: 'int', value: -3 })],
  ['B', 'with biases in every branch', (n) => n.each('conv2').map((node, i) => n.bias(node, i))],
  [
    'B',
    'with one vector shared by all',
    (n) => n.each('bn1').map((node) => n.graph.setInput(node, 1, n.each('bn2')[0]!.inputs[1])),
  ],
  ['B', 'without normalization', (n) => [...n.each('bn1'), ...n.each('bn2')].map((node) => n.skip(node))],
  [
    'B',
    'with a pool in each branch',
    (n) => n.each('conv2').map((_, i) => n.insert(`branches.${i}.conv2`, 'MaxPool', `p${i}`)),
  ],
  ['B', 'with maps that are also an output', (n) => n.b.output(n.out('concat'))],
  ['B', 'with maps that are read twice', (n) => n.b.output(n.b.op('Neg', [n.out('concat')]))],
  ['B', 'with initializers listed as inputs', (n) => n.graph.inputs.push(...n.graph.initializers)],
];

const [first, second] = ['branches.0', 'branches.1'];
const unmerged: readonly Failure[] = [
  refused(
    'A',
    'with another stride in one branch',
    (n) => n.ints(`${second}.conv2`, 'strides', 2, 2),
    `Conv "${block}.${second}.conv2" differs from Conv "${block}.${first}.conv2" in strides ([2,2], not [1,1]).`,
  ),
  refused(
    'B',
    'with another dilation in one branch',
    (n) => n.ints(`${second}.conv2`, 'dilations', 2, 2),
    `Conv "${block}.${second}.conv2" differs from Conv "${block}.${first}.conv2" in dilations ([2,2], not [1,1]).`,
  ),
  refused(
    'A',
    'with one weight in two branches',
    (n) => n.graph.setInput(n.node(`${first}.conv2`), 1, n.weight(`${second}.conv2`)),
    `Conv "${block}.${first}.conv2" shares its weight "${block}.${second}.conv2.weight" with another node.`,
  ),
  refused(
    'B',
    'with a branch that other nodes read',
    (n) => n.b.output(n.b.op('Neg', [n.out(`${second}.bn1`)])),
    `the output of BatchNormalization "${block}.${second}.bn1" in branch 2 is also used outside the branch.`,
  ),
  refused(
    'A',
    'with a branch that is an output',
    (n) => n.b.output(n.out(`${first}.conv3`)),
    `the output of Conv "${block}.${first}.conv3" in branch 1 is also used outside the branch.`,
  ),
  refused(
    'B',
    'with no normalization in one branch',
    (n) => n.skip(n.node(`${second}.bn1`)),
    `branch 2 has Conv "${block}.${second}.conv1" where branch 1 has BatchNormalization "${block}.${first}.bn1".`,
  ),
  refused(
    'A',
    'with no ReLU in one branch',
    (n) => n.skip(n.node(`${first}.relu2`)),
    `branch 2 has Relu "${block}.${second}.relu2" where branch 1 has BatchNormalization "${block}.${first}.bn2".`,
  ),
  refused(
    'B',
    'with another epsilon in one branch',
    (n) => n.node(`${second}.bn2`).attributes.set('epsilon', { kind: 'float', value: 0.25 }),
    `BatchNormalization "${block}.${second}.bn2" differs from BatchNormalization "${block}.${first}.bn2" in epsilon (0.25, not 0.00001).`,
  ),
  refused(
    'B',
    'with a normalization in training mode',
    (n) => n.node(`${second}.bn2`).attributes.set('training_mode', { kind: 'int', value: 1 }),
    `BatchNormalization "${block}.${second}.bn2" is in training mode.`,
  ),
  refused(
    'A',
    'with a missing weight',
    (n) => Object.assign(n.weight(`${second}.conv1`), { tensor: undefined }),
    `"${block}.${second}.conv1.weight" has no weights; load or initialize them first.`,
  ),
  refused(
    'B',
    'with more filters in one branch',
    (n) => {
      n.zeros(`${second}.conv1`, 1, 3, 8, 1, 1);
      n.zeros(`${second}.conv2`, 1, 2, 3, 3, 3);
      for (const i of [1, 2, 3, 4]) n.zeros(`${second}.bn1`, i, 3);
    },
    `Conv "${block}.${second}.conv2" has weight shape [2,3,3,3], but Conv "${block}.${first}.conv2" has [2,2,3,3].`,
  ),
  refused(
    'B',
    'with a grouped first convolution',
    (n) => {
      n.zeros(`${first}.conv1`, 1, 2, 4, 1, 1);
      n.node(`${first}.conv1`).attributes.set('group', { kind: 'int', value: 2 });
    },
    `Conv "${block}.${first}.conv1" is already grouped.`,
  ),
  refused(
    'A',
    'with a shorter branch',
    (n) => n.insert(`${second}.conv1`, 'Relu', 'early'),
    'branch 1 reads "relu.output" directly, but other branches have more layers in between.',
  ),
  refused(
    'A',
    'with a ReLU before each branch',
    (n) => n.each('conv1').map((_, i) => n.insert(`branches.${i}.conv1`, 'Relu', `r${i}`)),
    'Relu "r0" comes before the first convolution of its branch.',
  ),
  refused(
    'B',
    'with different average pools',
    (n) => {
      for (const i of n.each('conv2').keys()) n.insert(`branches.${i}.conv2`, 'AveragePool', `p${i}`);
      n.node('branches.2.conv2').inputs[0]!.producer!.attributes.set('count_include_pad', { kind: 'int', value: 1 });
    },
    'AveragePool "p2" differs from AveragePool "p0" in count_include_pad (1, not 0).',
  ),
  refused(
    'B',
    'with a softmax in each branch',
    (n) => n.each('conv2').map((_, i) => n.insert(`branches.${i}.conv2`, 'Softmax', `s${i}`)),
    'Softmax "s0" in branch 1 is not a convolution, and does not treat each channel separately.',
  ),
  refused(
    'A',
    'with a normalization at the end of each branch',
    (n) => {
      const ends = n.addends.map((z) => n.b.op('BatchNormalization', [z, ...n.node('bn3').inputs.slice(1)], {}, 'bn'));
      n.replace(n.out('sum'), n.b.op('Sum', ends, {}, 'total'));
    },
    'BatchNormalization "bn" ends its branch, but only sums of convolutions can be merged; fold it first.',
  ),
];

describe('to form C', () => {
  test.each(merged)('form %s %s', (form, _, change) => {
    const n = blockIn(form);
    change(n);
    const { graph, report } = convertGraph(n.graph, 'C');
    expect(report.refusals).toEqual([]);
    expectSameOutputs(graph, n.graph);
    expect(groupsIn(graph)).toEqual([1, 1, 1, 1, 4]); // stem, split, merge, projection, and the transform
    expectTidy(graph);
  });

  test.each(unmerged)('refused: form %s %s', (form, _, change, reason) => expectRefused(form, 'C', change, reason));
});

function expectRefused(from: Form, to: Form, change: Change, reason: string): void {
  const n = blockIn(from);
  change(n);
  const { graph, report } = convertGraph(n.graph, to);
  expect(report.refusals.map(({ text }) => text)).toEqual([reason]);
  expect(graph).toBe(n.graph);
}

const split: readonly Success[] = [
  ['C', 'with biases', (n) => ['conv1', 'conv2', 'conv3'].map((layer, i) => n.bias(n.node(layer), i))],
  ['C', 'without normalization', (n) => ['bn1', 'bn2'].map((layer) => n.skip(n.node(layer)))],
  [
    'C',
    'with a stride in its first convolution',
    (n) => ['conv1', 'downsample.0'].map((layer) => n.ints(layer, 'strides', 2, 2)),
  ],
  ['C', 'with a weight listed as an input', (n) => n.graph.inputs.push(n.weight('conv2'))],
  ['C', 'with one vector in two normalizations', (n) => n.graph.setInput(n.node('bn1'), 1, n.node('bn2').inputs[1])],
  ['C', 'with nameless nodes', (n) => [...n.graph.nodes].map((node) => Object.assign(node, { name: '' }))],
  ['C', 'with a pool before its grouped convolution', (n) => n.insert('conv2', 'MaxPool', 'pool')],
];

const unsplit: readonly Failure[] = [
  refused(
    'C',
    'with no 1x1 before its grouped convolution',
    (n) => n.zeros('conv1', 1, 8, 8, 3, 3),
    `Conv "${block}.conv2" follows Conv "${block}.conv1" with no 1x1 convolution in between to split.`,
  ),
  refused(
    'C',
    'with a softmax before its grouped convolution',
    (n) => n.insert('conv2', 'Softmax', 'softmax'),
    `Conv "${block}.conv2" follows Softmax "softmax" with no 1x1 convolution in between to split.`,
  ),
  refused(
    'C',
    'with a softmax after its grouped convolution',
    (n) => n.insert('conv3', 'Softmax', 'softmax'),
    'Softmax "softmax" comes before the next 1x1 convolution.',
  ),
  refused(
    'C',
    'with a map that other nodes read',
    (n) => n.b.output(n.b.op('Neg', [n.out('bn1')])),
    `the output of BatchNormalization "${block}.bn1" is also used outside its block.`,
  ),
  refused(
    'C',
    'with a map that is an output',
    (n) => n.b.output(n.out('bn2')),
    `the output of BatchNormalization "${block}.bn2" is also used outside its block.`,
  ),
  refused(
    'C',
    'with a weight that other nodes read',
    (n) => n.b.output(n.b.op('Conv', [n.node('conv1').inputs[0], n.weight('conv1')])),
    `Conv "${block}.conv1" shares its weight "${block}.conv1.weight" with another node.`,
  ),
];

describe('to forms A and B', () => {
  test.each(split)('form %s %s', (form, _, change) => {
    const n = blockIn(form);
    change(n);
    for (const [to, convolutions] of [['A', 14] as const, ['B', 11] as const]) {
      const { graph, report } = convertGraph(n.graph, to);
      expect(report.refusals).toEqual([]);
      expectSameOutputs(graph, n.graph);
      expect(groupsIn(graph)).toEqual(new Array(convolutions).fill(1));
      expectTidy(graph);
    }
  });

  test.each(unsplit)('refused: form %s %s', (form, _, change, reason) => expectRefused(form, 'B', change, reason));

  test.each<[string, Change, string]>([
    ['is an output', (n) => n.b.output(n.out('concat')), `the output of Concat "${block}.concat" is a graph output.`],
    [
      'feeds a convolution whose weight other nodes read',
      (n) => n.b.output(n.b.op('Conv', [n.each('conv1')[0]!.inputs[0], n.weight('conv3')])),
      `Conv "${block}.conv3" shares its weight "${block}.conv3.weight" with another node.`,
    ],
    [
      'joins different branches',
      (n) => n.ints(`${second}.conv2`, 'strides', 2, 2),
      `Conv "${block}.${second}.conv2" differs from Conv "${block}.${first}.conv2" in strides ([2,2], not [1,1]).`,
    ],
  ])('refused: form B whose concatenation %s', (_, change, reason) => expectRefused('B', 'A', change, reason));

  test('a bias after the concatenation goes to the first branch, and back without a changed bit', () => {
    const n = blockIn('B');
    n.bias(n.node('conv3'), -3);
    const inA = convertGraph(n.graph, 'A').graph;
    expectSameOutputs(inA, n.graph);
    const biased = (graph: Graph) => [...graph.nodes].filter(({ op, inputs }) => op === 'Conv' && inputs[2]);
    expect(biased(inA).map(({ name }) => name)).toEqual([`${block}.branches.0.conv3`]);
    const [conv3] = biased(convertGraph(inA, 'B').graph);
    const bias = n.node('conv3').inputs[2]!;
    expect([conv3!.name, conv3!.inputs[2]!.name, conv3!.inputs[2]!.tensor]).toEqual([
      ...[`${block}.conv3`, bias.name, bias.tensor],
    ]);
  });
});

test('a graph with an old operator set is refused', () => {
  const { graph } = blockIn('A');
  graph.opsets.set('', 8);
  const { report } = convertGraph(graph, 'C');
  expect(report.refusals.map(({ text }) => text)).toEqual([
    'the graph uses operator set 8, but at least 9 is required.',
  ]);
});
