/** Random inputs for a graph, to run it without data. */
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { fillBytes, fillNormal, uniform } from '../random.ts';
import { type Tensor, tensor } from '../tensor.ts';

/**
 * Normally distributed float32 inputs and uniformly distributed uint8 inputs. A symbolic first dimension becomes
 * `batch`.
 *
 * @throws UsageError for an input of another type, or with another symbolic dimension.
 * @example randomInputs(model.graph, 8, 1).get('input')!.dims // [8, 3, 224, 224]
 */
export function randomInputs({ inputs, initializers }: Graph, batch: number, seed: number): Map<string, Tensor> {
  const random = uniform(seed);
  const fed = inputs.filter((value) => !initializers.has(value));
  return new Map(
    fed.map(({ name, dims, dtype }) => {
      const sizes = dims?.map((dim, axis) => (typeof dim === 'string' && axis === 0 ? batch : dim));
      if ((dtype !== 'float32' && dtype !== 'uint8') || !sizes?.every((dim) => typeof dim === 'number')) {
        throw new UsageError(
          `The input "${name}" is ${dtype} [${dims ?? '?'}], but random inputs need float32 or uint8 and known dimensions, except for the batch.`,
        );
      }
      const input = tensor(dtype, sizes);
      if (input.dtype === 'uint8') fillBytes(input.data, random);
      else fillNormal(input.data as Float32Array, 1, random);
      return [name, input];
    }),
  );
}
