/** Helpers for numeric tests: seeded random tensors, and the relative error of results. */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { elements, type Tensor, tensor } from '../src/tensor.ts';

export interface Random {
  /** A number, uniform between `low` and `high`. */
  number(low: number, high: number): number;
  /** An integer from `low` to `high`, inclusive. */
  integer(low: number, high: number): number;
  /** A float32 tensor, uniform between `low` and `high`. Default: −1 and 1. */
  tensor(dims: readonly number[], low?: number, high?: number): Tensor<'float32'>;
}

export function seeded(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  const number = (low: number, high: number) => low + (high - low) * uniformFloat64(generator);
  return {
    number,
    integer: (low, high) => Math.floor(number(low, high + 1)),
    tensor: (dims, low = -1, high = 1) => {
      return tensor(
        'float32',
        dims,
        Float32Array.from({ length: elements(dims) }, () => number(low, high)),
      );
    },
  };
}

export const int64 = (dims: readonly number[], values: readonly number[]): Tensor<'int64'> =>
  tensor('int64', dims, BigInt64Array.from(values, BigInt));

const numbers = ({ data }: Pick<Tensor, 'data'>): number[] => Array.from(data as ArrayLike<number | bigint>, Number);
const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** ‖actual − expected‖ / ‖expected‖ over all elements, or ‖actual‖ if `expected` is zero. */
export function relativeError(actual: Pick<Tensor, 'data'>, expected: Pick<Tensor, 'data'>): number {
  const [a, b] = [numbers(actual), numbers(expected)];
  const error = norm(a.map((value, i) => value - b[i]!)) / (norm(b) || 1);
  return a.length === b.length && Number.isFinite(error) ? error : Number.POSITIVE_INFINITY;
}

/** Whether two tensors have the same bytes. */
export const sameBits = ({ data: a }: Pick<Tensor, 'data'>, { data: b }: Pick<Tensor, 'data'>): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
