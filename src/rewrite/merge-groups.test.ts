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

/** x [2, C, 9, 9] → one convolution, whose filters are 3x3. */
function convolution({ input = 32, output = 32, group = 8, bias = false, weightless = false, ...window }: Shape) {
  const r = seeded(4);
  const b = new Builder('net');
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
  return { said: [...changes, ...refusals].map(({ text }) => text), group, weight: node!.inputs[1]!, error };
};

test.each<[string, Shape, number, number[]]>([
  ['four groups of 4', {}, 2, [32, 16, 3, 3]],
  ['two groups of 8', { group: 4 }, 2, [32, 16, 3, 3]],
  ['with a bias', { bias: true }, 2, [32, 16, 3, 3]],
  ['with strides and dilations', { strides: [2, 2], dilations: [2, 1] }, 2, [32, 16, 3, 3]],
  ['with more filters than channels', { output: 64 }, 2, [64, 16, 3, 3]],
  ['to a single group', { input: 16, output: 16, group: 4 }, 1, [16, 16, 3, 3]],
])('narrow groups fill blocks: %s', (_, shape, group, dims) => {
  const found = merged(shape);
  expect([found.group, found.weight.dims, found.weight.name]).toEqual([group, dims, 'conv.weight']);
  expect(found.error).toBeLessThan(1e-12);
});

test('where it was measured to pay, groups wider than a block fill whole ones', () => {
  const { group, weight, error } = merged({ input: 96, output: 96, group: 4 }, { block: 16, merges: () => true });
  expect([group, weight.dims]).toEqual([2, [96, 48, 3, 3]]);
  expect(error).toBeLessThan(1e-12);
});

test('what was done is said', () => {
  expect(merged({}).said).toEqual(['Conv "conv" is in 8 groups of 4 channels, now in 2 of 16 channels.']);
  expect(merged({ output: 64 }).said).toEqual([
    'Conv "conv" is in 8 groups of 4 channels in and 8 out, now in 2 of 16 channels in and 32 out.',
  ]);
});

test('with shorter vectors the blocks are shorter', () => {
  expect(merged({}, { block: 8 })).toMatchObject({ group: 4, said: [expect.stringContaining('now in 4 of 8')] });
  expect(merged({ group: 4 }, { block: 8 }).said).toEqual([]);
});

test.each<[string, Shape, Partial<MergeOptions>, string]>([
  [
    'that never fill a block',
    { input: 24, output: 24, group: 6 },
    {},
    '6 groups of 4 channels, which do not fill blocks of 16.',
  ],
  [
    'that take too many zeros',
    { group: 16 },
    {},
    '16 groups of 2 channels; filling blocks of 16 with 8 of them is slower.',
  ],
  [
    'that were measured',
    {},
    { merges: () => false },
    '8 groups of 4 channels; filling blocks of 16 with 4 of them is slower.',
  ],
])('refused: groups %s', (_, shape, options, reason) => {
  expect(merged(shape, { block: 16, ...options })).toMatchObject({
    group: shape.group ?? 8,
    error: 0,
    said: [`Conv "conv" is in ${reason}`],
  });
});

test('refused: a convolution without weights', () => {
  expect(merged({ weightless: true }).said).toEqual(['"conv.weight" has no contents; load or draw the weights first.']);
});

test.each<[string, Shape]>([
  ['ordinary convolutions', { group: 1 }],
  ['depthwise ones', { group: 32 }],
  ['groups of whole blocks', { group: 2 }],
])('%s are not spoken of', (_, shape) => expect(merged(shape).said).toEqual([]));
