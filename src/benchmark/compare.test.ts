import { expect, test } from 'vitest';
import { sameBits } from '../../test/tensors.ts';
import { Builder } from '../graph/builder.ts';
import { type Dim, type Graph, Value } from '../graph/graph.ts';
import { type DType, fromNumbers, numbersOf, relativeDifference, tensor } from '../tensor.ts';
import { compareGraphs, toleranceOf } from './compare.ts';
import { randomInputs } from './inputs.ts';

/** y = f(x). */
function network(dims: readonly Dim[], build: (b: Builder, x: Value) => Value, dtype: DType = 'float32'): Graph {
  const b = new Builder('network');
  b.output(build(b, b.input('x', dims, dtype)), 'y');
  return b.graph;
}

const compared = async (a: Graph, b: Graph) => (await compareGraphs(a, b, { runs: 0, threads: 1 })).difference;
const relu = (b: Builder, x: Value) => b.op('Relu', [x]);

/** A Slice that takes all of a map of at most 28 x 28, which a single comparison would not tell from the map. */
const first28 = (b: Builder, x: Value) => b.op('Slice', [x, b.ints([0, 0]), b.ints([28, 28]), b.ints([2, 3])]);

test('graphs with free heights and widths are compared at two sizes', async () => {
  const dims = ['N', 8, 'H', 'W'];
  expect(await compared(network(dims, relu), network(dims, relu))).toBe(0);
  const cut = network(dims, (b, x) => relu(b, first28(b, x)));
  await expect(compared(network(dims, relu), cut)).rejects.toThrow('The output "y" is [3,8,24,32]');
});

test('sizes at which the first graph does not run are passed over', async () => {
  const dims = ['N', 3, 'H', 'W'];
  const fixed = network(dims, (b, x) =>
    b.op('Reshape', [b.op('Add', [x, b.number(1, [1, 1, 64, 64])]), b.ints([-1, 12288])]),
  );
  expect(await compared(fixed, fixed)).toBe(0);
  const odd = network(dims, (b, x) => b.op('Add', [x, b.number(1, [1, 1, 5, 5])]));
  await expect(compared(odd, odd)).rejects.toThrow(
    /^The inputs of the first graph have free sizes, but it runs at none of 224 x 224, 192 x 256, 299 x 299, 64 x 64, 32 x 32/,
  );
});

test.each<[DType, number[]]>([
  ['int64', [0, 1]],
  ['int32', [0, 1]],
  ['bool', [0, 1]],
])('inputs of %s are zeros and ones', (dtype, values) => {
  const { graph } = new Builder('network');
  graph.inputs.push(new Value('x', dtype, ['N', 50]));
  const x = randomInputs(graph, 2, 1).get('x')!;
  expect([x.dtype, x.dims]).toEqual([dtype, [2, 50]]);
  expect([...new Set(Array.from(x.data as ArrayLike<number | bigint>, Number))].sort()).toEqual(values);
});

test.each<[DType, number]>([
  ['float16', 1e-2],
  ['float32', 1e-4],
])('graphs of %s are compared as numbers, with a tolerance for their rounding', async (dtype, tolerance) => {
  const graph = network(['N', 64], relu, dtype);
  expect(toleranceOf(graph)).toBe(tolerance);
  const scaled = network(
    ['N', 64],
    (b, x) => b.op('Mul', [relu(b, x), b.constant(fromNumbers(dtype, [], [1.125]))]),
    dtype,
  );
  expect(await compared(graph, scaled)).toBeCloseTo(0.125, 3);
});

test('an input of unknown rank is refused', async () => {
  const graph = network([2], relu);
  graph.inputs[0]!.dims = undefined;
  await expect(compared(graph, graph)).rejects.toThrow(
    'The input "x" is float32 [?], but random inputs need a numeric type and a known rank.',
  );
});

test('half precision rounds to the nearest, to even, and keeps special numbers', () => {
  const values = [
    0,
    1,
    -2,
    65504,
    65519,
    65520,
    2 ** -24,
    2 ** -25,
    1.5 * 2 ** -24,
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    0.1,
  ];
  const halves = fromNumbers('float16', [values.length], values);
  const expected = [0, 1, -2, 65504, 65504, Infinity, 2 ** -24, 0, 2 ** -23, 1, 1 + 2 ** -9, 0.0999755859375];
  expect(Array.from(numbersOf(halves))).toEqual(expected);
  const special = fromNumbers('bfloat16', [4], [Number.NaN, -Infinity, 1 + 2 ** -8, 1 + 3 * 2 ** -8]);
  expect(Array.from(numbersOf(special))).toEqual([Number.NaN, -Infinity, 1, 1 + 2 ** -6]);
  expect([...fromNumbers('float16', [1], [Number.NaN]).data]).toEqual([0x7e00]);
  const all = tensor(
    'float16',
    [0x7c00],
    Uint16Array.from({ length: 0x7c00 }, (_, i) => i),
  );
  const again = fromNumbers('float16', [0x7c00], numbersOf(all) as ArrayLike<number>);
  expect(sameBits(again, all)).toBe(true);
  const finite = fromNumbers('float16', [2], [1, 3]);
  expect(relativeDifference(finite, fromNumbers('float16', [2], [1, 3]))).toBe(0);
});
