/**
 * Test cases for every operator with seeded random numbers. The interpreter is compared with ONNX Runtime, and each
 * gradient with a finite difference. The table is total, so the compiler requires cases for a new operator.
 */
import { Builder } from '../src/graph/builder.ts';
import { dataTypeOf } from '../src/graph/data-types.ts';
import type { Graph, Node } from '../src/graph/graph.ts';
import type { Attributes, OpType } from '../src/graph/ops.ts';
import type { Tensor } from '../src/tensor.ts';
import { tensor } from '../src/tensor.ts';
import { int64, type Random, seeded } from './tensors.ts';
import { convolutions, dilatedPools, pools } from './window-cases.ts';

export interface Case<O extends OpType> {
  /** float32 tensors become inputs of the graph, int64 ones constants. */
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes?: Partial<Attributes<O>>;
  /** Number of outputs. Default: 1. */
  readonly outputs?: number;
  /** `false` if finite differences do not apply: at a kink, or if the gradient is refused. */
  readonly smooth?: false;
}

type Cases<O extends OpType> = (r: Random) => readonly Case<O>[];
type Dims = readonly number[];

export interface OneNode {
  readonly graph: Graph;
  readonly node: Node;
  readonly feeds: ReadonlyMap<string, Tensor>;
}

/** The operator's cases, the same on every call. */
export const casesOf = <O extends OpType>(op: O): readonly Case<O>[] => cases[op](seeded(1));

/** A graph with one node, and feeds for its inputs `x0`, `x1`, … */
export function graphOf<O extends OpType>(op: O, { inputs, attributes, outputs }: Case<O>): OneNode {
  const b = new Builder(op);
  const feeds = new Map<string, Tensor>();
  const values = inputs.map((contents, i) => {
    if (!contents || contents.dtype === 'int64') return contents && b.constant(contents);
    feeds.set(`x${i}`, contents);
    return b.input(`x${i}`, contents.dims);
  });
  const node = b.node(op, values, attributes ?? {}, outputs ?? 1, 'node');
  for (const output of node.outputs) b.output(output);
  return { graph: b.graph, node, feeds };
}

const ints = (...values: number[]): Tensor => int64([values.length], values);

const unary =
  (low = -2, high = 2) =>
  (r: Random): { inputs: Tensor[] }[] =>
    [[7], [2, 3, 4], [1, 5, 2, 3], []].map((dims) => ({ inputs: [r.tensor(dims, low, high)] }));

/** Every way to broadcast. The second operand is not close to zero, for division. */
const binary = (r: Random): { inputs: Tensor[] }[] => {
  const pairs: [Dims, Dims][] = [
    [
      [2, 3, 4],
      [2, 3, 4],
    ],
    [[2, 3, 4], [4]],
    [
      [3, 1],
      [2, 1, 5],
    ],
    [
      [1, 3, 1, 1],
      [2, 3, 2, 2],
    ],
    [[5], []],
    [
      [2, 1],
      [1, 1],
    ],
  ];
  return pairs.map(([left, right]) => ({ inputs: [r.tensor(left), r.tensor(right, 0.5, 2)] }));
};

const softmax = (r: Random): Case<'Softmax' | 'LogSoftmax'>[] => [
  { inputs: [r.tensor([3, 5], -4, 4)] },
  { inputs: [r.tensor([3, 5], -4, 4)], attributes: { axis: 0 } },
  { inputs: [r.tensor([2, 3, 4], 80, 90)], attributes: { axis: 1 } },
  { inputs: [r.tensor([2, 1, 4, 2])], attributes: { axis: -2 } },
];

/** x, scale, bias, mean, variance over C channels. */
const normalization = (r: Random, dims: Dims): Tensor[] => {
  const channels = [dims[1]!];
  return [
    r.tensor(dims, -1, 3),
    r.tensor(channels, 0.5, 1.5),
    ...[r.tensor(channels), r.tensor(channels), r.tensor(channels, 0.5, 2)],
  ];
};

/** Rows of probabilities: powers of two, which sum exactly to 1. */
const probabilities = (batch: number, classes: number): Tensor => {
  const row = (i: number) =>
    Array.from({ length: classes }, (_, k) => 2 ** -Math.min(((i + k) % classes) + 1, classes - 1));
  return tensor('float32', [batch, classes], Float32Array.from(Array.from({ length: batch }, (_, i) => row(i)).flat()));
};

/** Small integers, so that most pooling windows have a tie for the maximum. */
const ties = (r: Random, dims: Dims): Tensor => {
  const { data } = r.tensor(dims, 0, 3);
  return tensor('float32', dims, data.map(Math.floor));
};

const averagePools = (r: Random) =>
  pools(r).flatMap(({ x, y, attributes }) => {
    return [0, 1].map((count_include_pad) => ({ x, y, attributes: { ...attributes, count_include_pad } }));
  });

const reductions = (r: Random): Case<'ReduceMax' | 'ReduceMean'>[] => [
  { inputs: [r.tensor([2, 3, 4])] },
  { inputs: [r.tensor([2, 3, 4])], attributes: { axes: [1], keepdims: 0 } },
  { inputs: [r.tensor([2, 3, 4, 2])], attributes: { axes: [-1, 0] } },
];

const cases: { readonly [O in OpType]: Cases<O> } = {
  AdamWUpdate: (r) =>
    [0, 0.05].map((weight_decay) => {
      const vectors = [r.tensor([9]), r.tensor([9]), r.tensor([9]), r.tensor([9], 0.1, 1)];
      const scalars = [r.tensor([], 0.1, 1), r.tensor([], 1, 2), r.tensor([], 1, 2)];
      const attributes = { beta1: 0.75, beta2: 0.96875, epsilon: 0.03125, weight_decay };
      return { inputs: [...vectors, ...scalars], attributes, outputs: 3 };
    }),
  Add: binary,
  AveragePool: (r) => averagePools(r).map(({ x, attributes }) => ({ inputs: [r.tensor(x)], attributes })),
  AveragePoolGrad: (r) =>
    averagePools(r).map(({ x, y, attributes }) => {
      return { inputs: [r.tensor(y)], attributes: { ...attributes, input_shape: x } };
    }),
  BatchNormalization: (r) => [
    { inputs: normalization(r, [2, 3, 4, 5]) },
    { inputs: normalization(r, [1, 4, 2, 2]), attributes: { epsilon: 0.25 } },
    { inputs: normalization(r, [3, 2]) },
  ],
  BatchNormGrad: (r) =>
    [
      [2, 3, 2, 4],
      [1, 1, 3, 3],
      [4, 2, 1, 1],
    ].map((dims) => {
      const channels = [dims[1]!];
      const vectors = [r.tensor(channels), r.tensor(channels), r.tensor(channels, 0.5, 2)];
      return { inputs: [r.tensor(dims), r.tensor(dims), ...vectors], outputs: 3 };
    }),
  BatchNormTraining: (r) => [
    { inputs: normalization(r, [2, 3, 4, 5]), outputs: 5 },
    { inputs: normalization(r, [4, 2, 1, 3]), attributes: { epsilon: 0.25, momentum: 0.5 }, outputs: 5 },
    { inputs: normalization(r, [1, 1, 7, 9]), attributes: { momentum: 1 }, outputs: 5 },
  ],
  Cast: (r) => [
    { inputs: [r.tensor([2, 3])], attributes: { to: dataTypeOf('float32') } },
    { inputs: [r.tensor([5], -9, 9)], attributes: { to: dataTypeOf('int64') }, smooth: false },
    { inputs: [r.tensor([5], 0, 200)], attributes: { to: dataTypeOf('uint8') }, smooth: false },
    { inputs: [ints(0, 3, -2)], attributes: { to: dataTypeOf('bool') }, smooth: false },
    { inputs: [ints(-7, 0, 9)], attributes: { to: dataTypeOf('float32') }, smooth: false },
  ],
  Concat: (r) => [
    { inputs: [r.tensor([2, 3]), r.tensor([1, 3])], attributes: { axis: 0 } },
    { inputs: [r.tensor([2, 3, 2]), r.tensor([2, 1, 2]), r.tensor([2, 4, 2])], attributes: { axis: 1 } },
    { inputs: [r.tensor([2, 3, 1]), r.tensor([2, 3, 5])], attributes: { axis: -1 } },
    { inputs: [r.tensor([4])], attributes: { axis: 0 } },
  ],
  Conv: (r) =>
    convolutions(r).map(({ x, w, attributes }, i) => {
      return { inputs: [r.tensor(x), r.tensor(w), i % 2 === 0 ? r.tensor([w[0]!]) : undefined], attributes };
    }),
  ConvInputGrad: (r) =>
    convolutions(r).map(({ x, w, y, attributes }) => {
      return { inputs: [r.tensor(y), r.tensor(w)], attributes: { ...attributes, input_shape: x } };
    }),
  ConvTranspose: transposedConvolutions,
  ConvWeightGrad: (r) =>
    convolutions(r).map(({ x, w, y, attributes }) => {
      return { inputs: [r.tensor(x), r.tensor(y)], attributes: { ...attributes, weight_shape: w } };
    }),
  Div: binary,
  Exp: unary(),
  Expand: (r) => [
    { inputs: [r.tensor([3, 1]), ints(2, 3, 4)] },
    { inputs: [r.tensor([2, 3]), ints(2, 3)] },
    { inputs: [r.tensor([2, 3]), ints(1, 1)] },
    { inputs: [r.tensor([]), ints(2, 2)] },
  ],
  Flatten: (r) => [
    { inputs: [r.tensor([2, 3, 4, 1])] },
    ...[0, 2, 3, -1].map((axis) => ({ inputs: [r.tensor([2, 3, 4])], attributes: { axis } })),
  ],
  Gemm: (r) =>
    [0, 1, 2, 3].flatMap((bits): Case<'Gemm'>[] => {
      const [transA, transB] = [bits & 1, bits >> 1];
      const [a, b] = [r.tensor(transA ? [4, 3] : [3, 4]), r.tensor(transB ? [5, 4] : [4, 5])];
      return [
        { inputs: [a, b], attributes: { transA, transB, alpha: 0.5 } },
        { inputs: [a, b, r.tensor([5])], attributes: { transA, transB } },
        { inputs: [a, b, r.tensor([3, 1])], attributes: { transA, transB, alpha: 2, beta: 0.25 } },
        { inputs: [a, b, r.tensor([3, 5])], attributes: { transA, transB, beta: -1 } },
        { inputs: [a, b, r.tensor([])], attributes: { transA, transB } },
      ];
    }),
  GlobalAveragePool: (r) =>
    [
      [2, 3, 4, 5],
      [1, 2, 1, 1],
      [2, 2, 7],
    ].map((dims) => ({ inputs: [r.tensor(dims)] })),
  HardSigmoid: (r) => [
    { inputs: [r.tensor([4, 9], -5, 5)] },
    { inputs: [r.tensor([4, 9], -5, 5)], attributes: { alpha: 0.5, beta: 0.25 } },
  ],
  Identity: unary(),
  Log: unary(0.5, 2),
  LogSoftmax: softmax,
  MatMul: (r) => [
    { inputs: [r.tensor([3, 4]), r.tensor([4, 5])] },
    { inputs: [r.tensor([2, 3, 4]), r.tensor([2, 4, 1])] },
    { inputs: [r.tensor([2, 1, 3, 4]), r.tensor([5, 4, 2])] },
    { inputs: [r.tensor([1, 4]), r.tensor([3, 4, 2])] },
  ],
  MaxPool: (r) =>
    [...pools(r), ...dilatedPools()].flatMap(({ x, attributes }): Case<'MaxPool'>[] => [
      { inputs: [r.tensor(x)], attributes },
      { inputs: [r.tensor(x)], attributes, outputs: 2 },
      { inputs: [ties(r, x)], attributes, outputs: 2, smooth: false },
    ]),
  MaxPoolGrad: (r) =>
    [
      [1, 1, 4, 4],
      [2, 3, 4, 5],
    ].map((dims) => {
      const [batch, channels, ...map] = dims as [number, number, ...number[]];
      const size = map[0]! * map[1]!;
      const at = Array.from(
        { length: batch * channels * 6 },
        (_, i) => Math.floor(i / 6) * size + r.integer(0, size - 1),
      );
      const indices = int64([batch, channels, 2, 3], at);
      return { inputs: [r.tensor(indices.dims), indices], attributes: { input_shape: dims } };
    }),
  MovingAverage: (r) => [{ inputs: [r.tensor([9]), r.tensor([9]), r.tensor([]), r.tensor([])] }],
  Mul: binary,
  Neg: unary(),
  Pad: (r) => [
    { inputs: [r.tensor([2, 3]), ints(0, 1, 2, 0)] },
    { inputs: [r.tensor([1, 2, 3, 2]), ints(0, 0, 1, 2, 0, 3, 0, 1), r.tensor([])] },
    { inputs: [r.tensor([2, 2]), ints(0, 0, 0, 0)] },
    { inputs: [r.tensor([3, 5]), ints(-1, 2, 0, -2)], smooth: false },
  ],
  Reciprocal: unary(0.5, 2),
  ReduceMax: reductions,
  ReduceMean: reductions,
  ReduceSum: (r) => [
    { inputs: [r.tensor([2, 3, 4])] },
    { inputs: [r.tensor([2, 3, 4])], attributes: { keepdims: 0 } },
    { inputs: [r.tensor([2, 3, 4]), ints(1)], attributes: { keepdims: 0 } },
    { inputs: [r.tensor([2, 3, 4, 2]), ints(-1, 0)] },
    { inputs: [r.tensor([2, 3])], attributes: { noop_with_empty_axes: 1 } },
  ],
  Relu: unary(),
  ReluGrad: (r) => [
    { inputs: [r.tensor([3, 4]), r.tensor([3, 4])] },
    { inputs: [r.tensor([1, 2, 3, 3]), ties(r, [1, 2, 3, 3])] },
  ],
  Reshape: (r) => [
    { inputs: [r.tensor([2, 3, 4]), ints(4, 6)] },
    { inputs: [r.tensor([2, 3, 4]), ints(0, -1)] },
    { inputs: [r.tensor([2, 3, 4]), ints(-1)] },
    { inputs: [r.tensor([1, 1]), int64([0], [])] },
  ],
  RmsPropUpdate: (r) =>
    [0, 0.75].flatMap((momentum) =>
      [0, 0.05].map((weight_decay) => {
        const vectors = [r.tensor([9]), r.tensor([9]), r.tensor([9], 0.1, 1), r.tensor([9])];
        const attributes = { alpha: 0.875, epsilon: 0.03125, momentum, weight_decay };
        return { inputs: [...vectors, r.tensor([], 0.1, 1)], attributes, outputs: 3 };
      }),
    ),
  ScatterElements: (r) => [
    { inputs: [r.tensor([6]), ints(5, 0, 2), r.tensor([3])] },
    { inputs: [r.tensor([6]), ints(1, 1, 4, 1), r.tensor([4])], attributes: { reduction: 'add' } },
    { inputs: [r.tensor([3, 4]), int64([2, 2], [0, -1, 2, 2]), r.tensor([2, 2])], attributes: { axis: 1 } },
    { inputs: [r.tensor([3, 4]), int64([1, 3], [2, 0, 2]), r.tensor([1, 3])], attributes: { reduction: 'add' } },
  ],
  SgdUpdate: (r) =>
    [0, 0.5, 0.9].flatMap((momentum) =>
      [0, 1].map((nesterov) => {
        const attributes = { momentum, nesterov, weight_decay: nesterov ? 0 : 0.01 };
        return { inputs: [r.tensor([9]), r.tensor([9]), r.tensor([9]), r.tensor([], 0.1, 1)], attributes, outputs: 2 };
      }),
    ),
  Sigmoid: unary(-6, 6),
  Slice: (r) => [
    { inputs: [r.tensor([5, 4]), ints(1), ints(4)] },
    { inputs: [r.tensor([5, 4]), ints(1, -3), ints(99, -1)] },
    { inputs: [r.tensor([5, 4]), ints(-99), ints(2), ints(-1)] },
    { inputs: [r.tensor([7, 6]), ints(1, 0), ints(7, 6), ints(0, 1), ints(3, 2)], smooth: false },
    { inputs: [r.tensor([2, 3, 4]), ints(1, 1), ints(3, 3), ints(2, 1), ints(1, 1)] },
    { inputs: [r.tensor([7, 6]), ints(99, -2), ints(-99, 0), ints(0, 1), ints(-3, -1)], smooth: false },
  ],
  Softmax: softmax,
  SoftmaxCrossEntropy: (r) => [
    { inputs: [r.tensor([3, 5], -4, 4), probabilities(3, 5)] },
    { inputs: [r.tensor([2, 3], 50, 60), probabilities(2, 3)] },
    { inputs: [r.tensor([4, 6]), r.tensor([4, 6], 0, 1)] },
  ],
  SoftmaxCrossEntropyGrad: (r) => [
    { inputs: [r.tensor([]), r.tensor([3, 5], -4, 4), probabilities(3, 5)] },
    { inputs: [r.tensor([]), r.tensor([4, 6]), r.tensor([4, 6], 0, 1)] },
  ],
  Split: (r) => [
    { inputs: [r.tensor([6, 2])], outputs: 3 },
    { inputs: [r.tensor([2, 7, 2]), ints(1, 4, 2)], attributes: { axis: 1 }, outputs: 3 },
    { inputs: [r.tensor([2, 5]), ints(5)], attributes: { axis: -1 } },
  ],
  Sqrt: unary(0.5, 2),
  Sub: binary,
  Sum: (r) => [
    { inputs: [r.tensor([2, 3])] },
    { inputs: [r.tensor([2, 3]), r.tensor([3]), r.tensor([4, 1, 1])] },
    { inputs: [r.tensor([2, 1]), r.tensor([1, 3])] },
  ],
  Transpose: (r) => [
    { inputs: [r.tensor([2, 3, 4])] },
    { inputs: [r.tensor([2, 3, 4])], attributes: { perm: [2, 0, 1] } },
    { inputs: [r.tensor([2, 3, 4, 2])], attributes: { perm: [0, 2, 3, 1] } },
  ],
};

/** The transpose of each convolution, with the output padding that restores its input size if there is one. */
function transposedConvolutions(r: Random): Case<'ConvTranspose'>[] {
  return convolutions(r)
    .filter(({ attributes }) => attributes.auto_pad === undefined)
    .map(({ w, y, attributes }, i) => {
      const { strides = [1, 1] } = attributes;
      const output_padding = i % 3 === 0 ? strides.map((stride) => stride - 1) : [];
      const bias = i % 2 === 0 ? [r.tensor([w[1]! * (attributes.group ?? 1)])] : [];
      return { inputs: [r.tensor(y), r.tensor(w), ...bias], attributes: { ...attributes, output_padding } };
    });
}
