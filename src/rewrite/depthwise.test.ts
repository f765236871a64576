import { expect, test } from 'vitest';
import { relativeError, seeded } from '../../test/tensors.ts';
import { Builder } from '../graph/builder.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { elements, tensor } from '../tensor.ts';
import { depthwiseToGroups } from './depthwise.ts';
import { rewrite } from './rewriter.ts';

interface Site {
  readonly b: Builder;
  readonly depthwise: Node;
  readonly gather: Node;
}

/** G groups of c channels: each channel makes c maps, and filter j of a group sums map j of its channels. */
function site(groups: number, c: number): Site {
  const r = seeded(4);
  const b = new Builder('network');
  const channels = groups * c;
  const frozen = tensor('float32', [channels, channels * c, 1, 1]);
  for (let m = 0; m < channels; m++) {
    const [group, j] = [Math.floor(m / c), m % c];
    for (let i = 0; i < c; i++) frozen.data[m * channels * c + (group * c + i) * c + j] = 1;
  }
  const w = r.tensor([channels * c, 1, 3, 3]);
  const attributes = { group: channels, strides: [2, 1], pads: [1, 1, 1, 1] };
  const maps = b.op('Conv', [b.input('x', ['N', channels, 6, 5]), b.parameter('dw', w.dims, w)], attributes, 'conv2');
  const y = b.output(b.op('Conv', [maps, b.parameter('frozen', frozen.dims, frozen)], {}, 'gather'), 'y');
  return { b, depthwise: maps.producer!, gather: y.producer! };
}

function edit(node: Node, index: number, f: (value: number, i: number) => number): void {
  const value = node.inputs[index]!;
  const { dims, data } = value.tensor!;
  value.tensor = tensor('float32', dims, Float32Array.from(data as Float32Array, f));
}

function bias({ b }: Site, node: Node): void {
  const size = node.inputs[1]!.dims![0] as number;
  b.graph.setInput(node, 2, b.parameter(`${node.name}.bias`, [size], seeded(size).tensor([size])));
}

const outputOf = (graph: Graph) => {
  const dims = graph.inputs[0]!.dims!.with(0, 2) as number[];
  return interpret(graph, new Map([['x', seeded(elements(dims)).tensor(dims)]])).get('y')!;
};

test.each<[string, number, number, (s: Site) => void, number]>([
  ['as keras-applications writes it', 4, 3, () => {}, 1e-15],
  ['with many groups', 8, 2, () => {}, 1e-15],
  ['with biases', 3, 2, (s) => [s.depthwise, s.gather].map((node) => bias(s, node)), 1e-7],
  [
    'with a normalization folded in',
    2,
    4,
    ({ gather }) => edit(gather, 1, (v, i) => v * (1 + Math.floor(i / 32))),
    1e-7,
  ],
  ['with an all-zero filter', 4, 2, ({ gather }) => edit(gather, 1, (v, i) => (i < 16 ? 0 : v)), 1e-15],
])('%s: %i groups of %i channels', (_, groups, c, change, tolerance) => {
  const s = site(groups, c);
  change(s);
  const before = outputOf(s.b.graph);
  const { changes, refusals } = rewrite(s.b.graph, [depthwiseToGroups]);
  const text = `merged a depthwise convolution and sums of its maps into one with ${groups} groups.`;
  expect([changes.map((change) => change.text), refusals]).toEqual([[text], []]);
  const [node, ...others] = s.b.graph.nodes;
  expect(others).toEqual([]);
  expect(node!.attributes.get('group')!.value).toBe(groups);
  expect(node!.inputs[1]!.dims).toEqual([groups * c, c, 3, 3]);
  expect(relativeError(outputOf(s.b.graph), before)).toBeLessThan(tolerance);
});

const used = 'the output of Conv "conv2" is also used elsewhere.';
test.each<[string, (s: Site) => void, string]>([
  ['that has other readers', ({ b, depthwise }) => b.output(b.op('Neg', [depthwise.outputs[0]])), used],
  ['that is an output', ({ b, depthwise }) => b.output(depthwise.outputs[0]!), used],
  [
    'that shares its weight',
    ({ b, depthwise }) => b.output(b.op('Conv', [...depthwise.inputs], { group: 6, pads: [1, 1, 1, 1] })),
    'Conv "conv2" shares its weight "dw" with another node.',
  ],
  [
    'whose maps are summed across groups',
    ({ gather }) => edit(gather, 1, (value, i) => (i < 12 ? 1 : value)),
    'Conv "gather" sums channels across all groups.',
  ],
  [
    'of integers',
    ({ depthwise }) => {
      depthwise.inputs[1]!.tensor = tensor('int32', [12, 1, 3, 3]);
    },
    'Conv "conv2" has a weight of int32; only floating-point types are supported.',
  ],
])('refused: a depthwise convolution %s', (_, change, reason) => {
  const s = site(3, 2);
  change(s);
  const { changes, refusals } = rewrite(s.b.graph, [depthwiseToGroups]);
  expect([changes, refusals.map(({ text }) => text)]).toEqual([[], [reason]]);
});

test.each<[string, (s: Site) => void]>([
  ['a trained 1x1', ({ gather }) => edit(gather, 1, (value, i) => value + i)],
  ['a strided 1x1', ({ gather }) => gather.attributes.set('strides', { kind: 'ints', value: [2, 2] })],
  ['a ReLU in between', ({ b, gather }) => b.graph.setInput(gather, 0, b.op('Relu', [gather.inputs[0]]))],
])('%s is a different pattern and is not reported', (_, change) => {
  const s = site(3, 2);
  change(s);
  const { changes, refusals } = rewrite(s.b.graph, [depthwiseToGroups]);
  expect([changes, refusals]).toEqual([[], []]);
});
