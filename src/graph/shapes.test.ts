/** The errors of shape inference, word for word with the node's name in front, and how free sizes are passed on. */
import { expect, test } from 'vitest';
import { int64 } from '../../test/tensors.ts';
import { UsageError } from '../errors.ts';
import { resnext } from '../model/resnext.ts';
import { tensor } from '../tensor.ts';
import { Builder } from './builder.ts';
import { type Dim, unknownDim, Value } from './graph.ts';
import { interpret } from './interpret.ts';
import type { Attributes, OpType } from './ops.ts';
import { inferShapes } from './shapes.ts';

/** The output shapes of a node named `n` with inputs of these shapes; numbers in `ints` are a constant. */
function shapes<O extends OpType>(
  op: O,
  inputs: readonly (readonly Dim[] | { readonly ints: readonly number[] })[],
  attributes: Partial<Attributes<O>> = {},
  outputs = 1,
): (readonly Dim[] | undefined)[] {
  const b = new Builder('one');
  const values = inputs.map((each, i): Value => {
    return 'ints' in each ? b.constant(int64([each.ints.length], each.ints)) : b.input(`x${i}`, each);
  });
  return b.node(op, values, attributes, outputs, 'n').outputs.map(({ dims }) => dims);
}

const map = [1, 4, 5, 5];
const square = [3, 3];

test.each<[sentence: string, () => void]>([
  [
    'Conv "n": input has 128 channels, but its weight expects 4 per group × 16 groups = 64.',
    () =>
      shapes(
        'Conv',
        [
          ['N', 128, 7, 7],
          [64, 4, 3, 3],
        ],
        { group: 16 },
      ),
  ],
  [
    'Conv "n": 3 groups do not divide the 128 input channels.',
    () =>
      shapes(
        'Conv',
        [
          ['N', 128, 7, 7],
          [96, 4, 3, 3],
        ],
        { group: 3 },
      ),
  ],
  [
    'Conv "n": 4 groups do not divide the 6 filters.',
    () =>
      shapes(
        'Conv',
        [
          ['N', 8, 7, 7],
          [6, 2, 3, 3],
        ],
        { group: 4 },
      ),
  ],
  [
    'Conv "n": group is 0, but expected a whole number of at least 1.',
    () => shapes('Conv', [map, [4, 4, 1, 1]], { group: 0 }),
  ],
  ['Conv "n": bias has shape [3], but there are 2 filters.', () => shapes('Conv', [map, [2, 4, 1, 1], [3]])],
  [
    'Conv "n": input has shape [4,5,5] and weight has shape [2,4,1,1], but expected equal ranks of at least 3.',
    () =>
      shapes('Conv', [
        [4, 5, 5],
        [2, 4, 1, 1],
      ]),
  ],
  [
    'Conv "n": its window spans 7, but the map has size 5 with padding 0 + 1.',
    () => shapes('Conv', [map, [2, 4, 3, 3]], { dilations: [1, 3], pads: [0, 0, 0, 1] }),
  ],
  ['Conv "n": strides is [2], but expected 2 numbers.', () => shapes('Conv', [map, [2, 4, 3, 3]], { strides: [2] })],
  ['Conv "n": pads is [1,1], but expected 4 numbers.', () => shapes('Conv', [map, [2, 4, 3, 3]], { pads: [1, 1] })],
  [
    'Conv "n": strides is [0,1], but expected numbers of at least 1.',
    () => shapes('Conv', [map, [2, 4, 3, 3]], { strides: [0, 1] }),
  ],
  [
    'ConvTranspose "n": pads are given by auto_pad or output_shape, which is not supported; use pads instead.',
    () => shapes('ConvTranspose', [map, [4, 2, 3, 3]], { auto_pad: 'SAME_UPPER' }),
  ],
  [
    'MaxPool "n": its window spans 6, but the map has size 5 with padding 0 + 0.',
    () => shapes('MaxPool', [map], { kernel_shape: [6, 6] }),
  ],
  [
    'MaxPool "n": storage_order is 1, but only 0 is supported.',
    () => shapes('MaxPool', [map], { kernel_shape: [2, 2], storage_order: 1 }, 2),
  ],
  [
    'BatchNormalization "n": input has 4 channels, but a per-channel input has shape [3].',
    () => shapes('BatchNormalization', [map, [4], [4], [3], [4]]),
  ],
  [
    'BatchNormalization "n": training_mode is 1, which is not supported; export the model for inference.',
    () => shapes('BatchNormalization', [map, [4], [4], [4], [4]], { training_mode: 1 }),
  ],
  [
    'BatchNormTraining "n": [1,4,1,1] has only one value per channel and thus no variance; use a larger batch or map.',
    () => shapes('BatchNormTraining', [[1, 4, 1, 1], [4], [4], [4], [4]], {}, 5),
  ],
  [
    'Add "n": shapes [2,3] and [2,4] do not broadcast: axis 1 has sizes 3 and 4.',
    () =>
      shapes('Add', [
        [2, 3],
        [2, 4],
      ]),
  ],
  [
    'Concat "n": [2,4] and [3,4] may only differ on axis 1, where they are concatenated.',
    () =>
      shapes(
        'Concat',
        [
          [3, 4],
          [2, 4],
        ],
        { axis: 1 },
      ),
  ],
  [
    'Concat "n": axis is 2, but expected an axis of [3,4].',
    () =>
      shapes(
        'Concat',
        [
          [3, 4],
          [3, 4],
        ],
        { axis: 2 },
      ),
  ],
  [
    'Gemm "n": [2,3] and [4,5] cannot be multiplied: 3 columns, but 4 rows.',
    () =>
      shapes('Gemm', [
        [2, 3],
        [4, 5],
      ]),
  ],
  [
    'Gemm "n": [3,2] and [5,4] cannot be multiplied: 3 columns, but 4 rows.',
    () =>
      shapes(
        'Gemm',
        [
          [3, 2],
          [5, 4],
        ],
        { transA: 1, transB: 1 },
      ),
  ],
  [
    'Gemm "n": shapes [2,5] and [4] do not broadcast: axis 1 has sizes 5 and 4.',
    () => shapes('Gemm', [[2, 3], [3, 5], [4]]),
  ],
  [
    'MatMul "n": [2,3] and [2,4,5] cannot be multiplied: 3 columns, but 4 rows.',
    () =>
      shapes('MatMul', [
        [2, 3],
        [2, 4, 5],
      ]),
  ],
  ['Reshape "n": [2,3,4] cannot be reshaped to [5,-1].', () => shapes('Reshape', [[2, 3, 4], { ints: [5, -1] }])],
  ['Reshape "n": [2,3,4] cannot be reshaped to [5,5].', () => shapes('Reshape', [[2, 3, 4], { ints: [5, 5] }])],
  ['Reshape "n": its shape must be a constant, but the graph computes it.', () => shapes('Reshape', [square, [1]])],
  [
    'Slice "n": steps is [0], but no step may be 0.',
    () => shapes('Slice', [[5], ...[[4], [0], [0], [0]].map((ints) => ({ ints }))]),
  ],
  [
    'Split "n": axis 0 of [5,2] cannot be split into 2 equal parts; give the sizes.',
    () => shapes('Split', [[5, 2]], { axis: 0 }, 2),
  ],
  [
    'Split "n": axis 0 of [5,2] cannot be split into 2 parts of sizes [2,2].',
    () => shapes('Split', [[5, 2], { ints: [2, 2] }], { axis: 0 }, 2),
  ],
])('%s', (sentence, build) => {
  expect(build).toThrow(new UsageError(sentence));
});

test('free sizes are passed on through operators, and unknown ones are printed as "?"', () => {
  expect(
    shapes('Conv', [
      ['N', 4, 'H', 9],
      [6, 4, 3, 3],
    ]),
  ).toEqual([['N', 6, unknownDim, 7]]);
  expect(
    shapes('Conv', [
      ['N', 'C', 5, 5],
      [6, 4, 3, 3],
    ]),
  ).toEqual([['N', 6, 3, 3]]);
  expect(
    shapes('Add', [
      ['N', 3],
      [1, 3],
    ]),
  ).toEqual([['N', 3]]);
  expect(
    shapes('Add', [
      ['N', 3],
      [4, 1],
    ]),
  ).toEqual([[4, 3]]);
  expect(shapes('Flatten', [['N', 3, 4]])).toEqual([['N', 12]]);
  expect(shapes('Flatten', [['N', 'H', 4]])).toEqual([['N', unknownDim]]);
  expect(shapes('Reshape', [['N', 3, 4], { ints: [0, -1] }])).toEqual([['N', 12]]);
  expect(shapes('Reshape', [['N', 3, 4], { ints: [-1, 2] }])).toEqual([[unknownDim, 2]]);
  expect(
    shapes(
      'Concat',
      [
        ['N', 3],
        ['N', 'K'],
      ],
      { axis: 1 },
    ),
  ).toEqual([['N', unknownDim]]);
  expect(shapes('Pad', [['N', 3], { ints: [0, 1, 0, 1] }])).toEqual([['N', 5]]);
  expect(shapes('Slice', [['N', 3], { ints: [1] }, { ints: [2] }])).toEqual([[unknownDim, 3]]);
  expect(shapes('Gemm', [['N', 3], [3, 5], [5]])).toEqual([['N', 5]]);
});

test.each(['A', 'B', 'C'] as const)('the batch N is passed on through a whole ResNeXt in form %s', (form) => {
  const { graph } = resnext({
    depths: [1, 2],
    cardinality: 2,
    width: 16,
    baseWidth: 8,
    classes: 7,
    inputSize: 33,
    form,
  });
  for (const node of graph.nodes) for (const { dims } of node.outputs) expect(dims?.[0]).toBe('N');
  expect(graph.outputs.map(({ dims }) => dims)).toEqual([['N', 7]]);
});

test.each<[what: string, op: string, attribute: string | undefined]>([
  ['an attribute that is now an input', 'ReduceSum', 'axes'],
  ['an attribute that was added later', 'Split', 'num_outputs'],
  ['an input that used to be an attribute', 'ReduceMean', undefined],
])('%s marks another operator set: %s is then unknown', (_, op, attribute) => {
  const b = new Builder('version');
  const x = b.input('x', [2, 4]);
  const inputs = attribute ? [x] : [x, b.ints([1])];
  const attributes = new Map(attribute ? [[attribute, { kind: 'ints', value: [1] } as const]] : []);
  const { outputs } = b.graph.add({ op, name: 'n', inputs, attributes, outputs: [new Value('y')] });
  b.output(outputs[0]!);
  inferShapes(b.graph);
  expect(outputs[0]!.dims).toBeUndefined();
  expect(() => interpret(b.graph, new Map([['x', tensor('float32', [2, 4])]]))).toThrow(
    new UsageError(`${op} "n": the interpreter only supports ai.onnx.${op} as defined in operator set 17.`),
  );
});

test('shapes behind an unknown operator stay unknown', () => {
  const b = new Builder('foreign');
  const x = b.input('x', [2, 3]);
  const y = b.op('Relu', [x]);
  const [relu] = x.users;
  const unknown = b.graph.add({ op: 'Mystery', domain: 'elsewhere', inputs: [x], outputs: [b.input('y', [])] });
  const [mystery] = unknown.outputs;
  mystery!.dims = undefined;
  y.dims = undefined;
  b.graph.setInput(relu!, 0, mystery);
  inferShapes(b.graph);
  expect([mystery!.dims, y.dims]).toEqual([undefined, undefined]);
});
