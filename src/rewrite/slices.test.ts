/** Which slices of a map count as branches: contiguous channels, in order, that cover the whole map. */
import { expect, test } from 'vitest';
import { int64, relativeError, seeded } from '../../test/tensors.ts';
import { Builder } from '../graph/builder.ts';
import { type Graph, Value } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { convertGraph } from './convert.ts';

/** Convolutions of two parts of x [2, 4, 6, 6], concatenated; the batch size may be free. */
function network(cut: (b: Builder, x: Value) => Value[], batch: number | string = 'N'): Graph {
  const b = new Builder('network');
  const ends = cut(b, b.input('x', [batch, 4, 6, 6])).map((part, i) => {
    const w = seeded(i).tensor([3, part.dims![1] as number, 3, 3]);
    return b.op('Conv', [part, b.parameter(`conv.${i}.weight`, w.dims, w)], {}, `conv.${i}`);
  });
  b.output(b.op('Concat', ends, { axis: 1 }, 'join'), 'y');
  return b.graph;
}

/** Slices given by starts, ends, axes and steps: `0,2 | 2,end | 0,1`. */
const slices =
  (...parts: string[]) =>
  (b: Builder, x: Value): Value[] =>
    parts.map((part, i) => {
      const lists = part
        .split('|')
        .map((list) => list.split(',').map((n) => (n.trim() === 'end' ? 2 ** 62 : Number(n))));
      return b.op('Slice', [x, ...lists.map((list) => b.ints(list))], {}, `slice${i}`);
    });
const split =
  (sizes: number[], axis = 1) =>
  (b: Builder, x: Value): Value[] => {
    return b.node('Split', [x, b.constant(int64([sizes.length], sizes))], { axis }, sizes.length, 'split').outputs;
  };

test.each([
  ['Slice', slices('0 | 2 | 1', '2 | 4 | 1')],
  ['Slice to the end', slices('0 | -2 | -3 | 1', '-2 | end | -3 | 1')],
  ['Slice over every axis', slices('0,0 | 9,2', '0,2,0 | end,end,6')],
  ['Slice that also names whole axes', slices('0,0 | end,2 | 0,1', '2,0 | 4,6 | 1,3')],
  ['Split', split([2, 2])],
  ['Split with a negative axis', split([2, 2], -3)],
])('%s of channels in order becomes groups', (name, cut) => {
  const source = network(cut, name.includes('every') ? 2 : undefined);
  const { graph, report } = convertGraph(source, 'C');
  expect(report.refusals).toEqual([]);
  expect([...graph.nodes].map(({ op, name }) => `${op} ${name}`)).toEqual(['Conv conv']);
  const feeds = new Map([['x', seeded(2).tensor([2, 4, 6, 6])]]);
  expect(relativeError(interpret(graph, feeds).get('y')!, interpret(source, feeds).get('y')!)).toBe(0);
});

const other = 'does not take a contiguous range of channels.';
test.each([
  ['every second channel', slices('0 | 4 | 1 | 2', '1 | 4 | 1 | 2'), `Slice "slice0" ${other}`],
  ['some of the rows', slices('0,0 | 2,4 | 1,2', '2,1 | 4,5 | 1,2'), `Slice "slice0" ${other}`],
  ['some of the batch', slices('0,0 | 1,2 | 0,1', '1,2 | 2,4 | 0,1'), `Slice "slice0" ${other}`],
  ['rows by Split', split([3, 3], 2), `Split "split" ${other}`],
  [
    'the same channels twice',
    slices('0 | 2 | 1', '0 | 2 | 1'),
    'Slice "slice1" takes channels 0 to 1 for branch 2, but expected them to start at channel 2.',
  ],
  ['not all channels', slices('0 | 2 | 1', '2 | 3 | 1'), 'the branches read only 3 of the 4 channels of "x".'],
])('refused: %s', (_, cut, reason) => {
  const source = network(cut, 2);
  const { graph, report } = convertGraph(source, 'C');
  expect(report.refusals.map(({ text }) => text)).toEqual([reason]);
  expect(graph).toBe(source);
});

test('refused: slices of a map with an unknown number of channels', () => {
  const source = network(slices('0 | 2 | 1', '2 | 4 | 1'));
  source.inputs[0]!.dims = undefined;
  const { report } = convertGraph(source, 'C');
  expect(report.refusals.map(({ text }) => text)).toEqual(['"x" has an unknown number of channels.']);
});

test('an output keeps its declared type, even after an unknown operator', () => {
  const source = network(split([2, 2]));
  const { graph: behind } = network(split([2, 2])).clone();
  const [x] = behind.inputs;
  const y = new Value('mystery');
  behind.add({ op: 'Mystery', inputs: [x], outputs: [y] });
  const [cut] = [...behind.nodes].filter(({ op }) => op === 'Split');
  behind.setInput(cut!, 0, y);
  y.dims = ['', 4, '', ''];
  expect(convertGraph(behind, 'C').graph.outputs).toMatchObject([{ dtype: 'float32', dims: source.outputs[0]!.dims }]);
});

test('Split of operator set 18, which counts its outputs, is understood', () => {
  const source = network((b, x) => b.node('Split', [x], { axis: 1 }, 2, 'split').outputs);
  const [cut] = [...source.nodes].filter(({ op }) => op === 'Split');
  cut!.attributes.set('num_outputs', { kind: 'int', value: 2 });
  for (const node of source.nodes) for (const value of node.outputs) value.dims = undefined;
  expect(convertGraph(source, 'C').report).toMatchObject({ refusals: [], nodesAfter: 1 });
});
