/**
 * ONNX Runtime's peak performance: a chain of equal products, or passes over a large tensor. The graph's output is
 * small, because a large one would be copied. Started by `children.ts`.
 */
import { Builder, Session, tensor, type Value } from 'resnext/graph';
import { serve } from './serve.ts';

export interface Work {
  /**
   * `conv`: 1x1 convolutions, optimized, in the blocked layout. `conv-nchw`: not optimized. `pass`: reads and writes.
   */
  readonly kind: 'conv' | 'conv-nchw' | 'matmul' | 'pass' | 'read';
  /** Products or passes per run. */
  readonly depth: number;
  /** [N, C, H, W] for convolutions, [rows, columns] for the others. */
  readonly dims: readonly number[];
  readonly threads: number;
}

type Body = (b: Builder, x: Value, dims: readonly number[], depth: number) => Value[];

const convolutions: Body = (b, x, dims, depth) => {
  const channels = dims[1]!;
  const weight = b.constant(random([channels, channels, 1, 1], Math.sqrt(3 / channels)));
  let y = x;
  for (let i = 0; i < depth; i++) y = b.op('Conv', [y, weight], { kernel_shape: [1, 1] });
  return [b.op('GlobalAveragePool', [y])];
};

const products: Body = (b, x, dims, depth) => {
  const columns = dims[1]!;
  const weight = b.constant(random([columns, columns], Math.sqrt(3 / columns)));
  let y = x;
  for (let i = 0; i < depth; i++) y = b.op('MatMul', [y, weight]);
  return [b.op('ReduceSum', [y, b.ints([1])], { keepdims: 0 })];
};

/** A final reduction reads the output of the last pass; with a depth of 10, that is a twentieth of the work. */
const passes: Body = (b, x, _, depth) => {
  let y = x;
  for (let i = 0; i < depth; i++) y = b.op('Neg', [y]);
  return [b.op('ReduceSum', [y, b.ints([1])], { keepdims: 0 })];
};

const reads: Body = (b, x, _, depth) =>
  Array.from({ length: depth }, () => b.op('ReduceSum', [x, b.ints([1])], { keepdims: 0 }));

function random(dims: readonly number[], size: number) {
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1)).map(() => size * (2 * Math.random() - 1));
  return tensor('float32', dims, data);
}

await serve(async ({ kind, depth, dims, threads }: Work) => {
  const b = new Builder('peak');
  const x = b.input('x', dims);
  const body = { conv: convolutions, 'conv-nchw': convolutions, matmul: products, pass: passes, read: reads }[kind];
  for (const [i, y] of body(b, x, dims, depth).entries()) b.output(y, `y${i}`);
  const optimization = kind === 'conv' || kind === 'matmul' ? 'all' : 'disabled';
  const session = await Session.open(b.graph, { threads, optimization });
  const feeds = new Map([['x', random(dims, 1)]]);
  const step = async () => {
    await session.run(feeds);
    return undefined;
  };
  return { facts: {}, step };
});
