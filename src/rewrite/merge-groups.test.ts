import { expect, test } from 'vitest';
import { relativeError, seeded } from '../../test/tensors.ts';
import { Builder } from '../graph/builder.ts';
import { interpret } from '../graph/interpret.ts';
import { type MergeOptions, mergeNarrowGroups } from './merge-groups.ts';
import { rewrite } from './rewriter.ts';

interface Shape {
  readonly input?: number;
  readonly output?: number;
  readonly group?: number;
  readonly bias?: boolean;
  readonly strides?: number[];
  readonly dilations?: number[];
  readonly weightless?: boolean;
}

/** x [2, C, 9, 9] → one 3x3 convolution. */
function convolution({ input = 32, output = 32, group = 8, bias = false, weightless = false, ...window }: Shape) {
  const r = seeded(4);
  const b = new Builder('network');
  const dims = [output, input / group, 3, 3];
  const w = b.parameter('conv.weight', dims, weightless ? undefined : r.tensor(dims));
  const inputs = [
    b.input('x', ['N', input, 9, 9]),
    w,
    ...(bias ? [b.parameter('b', [output], r.tensor([output]))] : []),
  ];
  b.output(b.op('Conv', inputs, { group, pads: [1, 1, 1, 1], ...window }, 'conv'), 'y');
  return { graph: b.graph, x: r.tensor([2, input, 9, 9]) };
}

const merged = (shape: Shape, options: MergeOptions = { block: 16 }) => {
  const { graph, x } = convolution(shape);
  const outputOf = () => interpret(graph, new Map([['x', x]])).get('y')!;
  const before = shape.weightless ? undefined : outputOf();
  const { changes, refusals } = rewrite(graph, [mergeNarrowGroups(options)]);
  const [node] = graph.nodes;
  const group = Number(node!.attributes.get('group')?.value);
  const error = before && relativeError(outputOf(), before);
  return { texts: [...changes, ...refusals].map(({ text }) => text), group, weight: node!.inputs[1]!, error };
};

test.each<[string, Shape, number, number[]]>([
  ['four groups of 4', {}, 2, [32, 16, 3, 3]],
  ['two groups of 8', { group: 4 }, 2, [32, 16, 3, 3]],
  ['with a bias', { bias: true }, 2, [32, 16, 3, 3]],
  ['with strides and dilations', { strides: [2, 2], dilations: [2, 1] }, 2, [32, 16, 3, 3]],
  ['with more filters than channels', { output: 64 }, 2, [64, 16, 3, 3]],
  ['to a single group', { input: 16, output: 16, group: 4 }, 1, [16, 16, 3, 3]],
])('narrow groups are merged to fill blocks: %s', (_, shape, group, dims) => {
  const found = merged(shape);
  expect([found.group, found.weight.dims, found.weight.name]).toEqual([group, dims, 'conv.weight']);
  expect(found.error).toBeLessThan(1e-12);
});

test('groups wider than a block are merged when measurements favor it', () => {
  const { group, weight, error } = merged({ input: 96, output: 96, group: 4 }, { block: 16, merges: () => true });
  expect([group, weight.dims]).toEqual([2, [96, 48, 3, 3]]);
  expect(error).toBeLessThan(1e-12);
});

test('reports what was merged', () => {
  expect(merged({}).texts).toEqual(['Conv "conv" has 8 groups of 4 channels; merged into 2 of 16 channels.']);
  expect(merged({ output: 64 }).texts).toEqual([
    'Conv "conv" has 8 groups of 4 channels in and 8 out; merged into 2 of 16 channels in and 32 out.',
  ]);
});

test('shorter vectors mean shorter blocks', () => {
  expect(merged({}, { block: 8 })).toMatchObject({ group: 4, texts: [expect.stringContaining('merged into 4 of 8')] });
  expect(merged({ group: 4 }, { block: 8 }).texts).toEqual([]);
});

test.each<[string, Shape, Partial<MergeOptions>, string]>([
  [
    'that cannot fill a block',
    { input: 24, output: 24, group: 6 },
    {},
    '6 groups of 4 channels, which cannot fill blocks of 16.',
  ],
  [
    'that need too many zeros',
    { group: 16 },
    {},
    '16 groups of 2 channels; merging 8 at a time to fill blocks of 16 is slower.',
  ],
  [
    'that measured slower',
    {},
    { merges: () => false },
    '8 groups of 4 channels; merging 4 at a time to fill blocks of 16 is slower.',
  ],
])('refused: groups %s', (_, shape, options, reason) => {
  expect(merged(shape, { block: 16, ...options })).toMatchObject({
    group: shape.group ?? 8,
    error: 0,
    texts: [`Conv "conv" has ${reason}`],
  });
});

test('refused: a convolution without weights', () => {
  expect(merged({ weightless: true }).texts).toEqual(['"conv.weight" has no weights; load or initialize them first.']);
});

test.each<[string, Shape]>([
  ['ordinary convolutions', { group: 1 }],
  ['depthwise convolutions', { group: 32 }],
  ['groups that fill whole blocks', { group: 2 }],
])('%s are not reported', (_, shape) => expect(merged(shape).texts).toEqual([]));
