/** Random inputs for a graph, to run it without data. */
import { UsageError } from '../errors.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { fillBytes, fillNormal, uniform } from '../random.ts';
import { elements, fromNumbers, type Tensor, tensor } from '../tensor.ts';

/** The inputs that a run needs: those that are not initializers listed as inputs. */
const fedInputs = ({ inputs, initializers }: Graph): Value[] => inputs.filter((value) => !initializers.has(value));

/** Whether an input has a symbolic dimension besides the batch. */
export const hasFreeSizes = (graph: Graph): boolean =>
  fedInputs(graph).some(({ dims }) => dims?.some((dim, axis) => typeof dim === 'string' && axis > 0));

/**
 * Random inputs: normally distributed floating-point numbers, uniformly distributed bytes, and zeros and ones of any
 * other type. A symbolic first dimension becomes `batch`.
 *
 * @param free sizes for the other symbolic dimensions, in order, again from the first if there are more; dimensions
 *   with one name get one size. Default: none, and an input that has one is refused.
 * @throws UsageError for an input of unknown type or rank, or with a symbolic dimension for which there is no size.
 * @example randomInputs(model.graph, 8, 1).get('input')!.dims // [8, 3, 224, 224]
 */
export function randomInputs(
  graph: Graph,
  batch: number,
  seed: number,
  free: readonly number[] = [],
): Map<string, Tensor> {
  const random = uniform(seed);
  const fed = fedInputs(graph);
  const named = new Map(fed.flatMap(({ dims }) => (typeof dims?.[0] === 'string' ? [[dims[0], batch]] : [])));
  let next = 0;
  const sizeOf = (dim: number | string, axis: number): number | string => {
    if (typeof dim === 'number' || free.length === 0) return axis === 0 && typeof dim === 'string' ? batch : dim;
    const size = (axis === 0 ? batch : dim && named.get(dim)) || free[next++ % free.length]!;
    if (dim) named.set(dim, size);
    return size;
  };
  return new Map(
    fed.map(({ name, dims, dtype }) => {
      const sizes = dims?.map(sizeOf);
      if (!dtype || !sizes?.every((dim) => typeof dim === 'number')) {
        const problem = dtype && dims ? 'known dimensions, except for the batch' : 'a numeric type and a known rank';
        throw new UsageError(
          `The input "${name}" is ${dtype ?? 'of an unknown type'} [${dims ?? '?'}], but random inputs need ${problem}.`,
        );
      }
      return [name, randomTensor(dtype, sizes, random)];
    }),
  );
}

function randomTensor(dtype: Tensor['dtype'], dims: readonly number[], random: () => number): Tensor {
  if (dtype === 'uint8') {
    const bytes = tensor(dtype, dims);
    fillBytes(bytes.data, random);
    return bytes;
  }
  const normal = new Float32Array(elements(dims));
  const isFloat = dtype.includes('float');
  if (isFloat) fillNormal(normal, 1, random);
  else for (let i = 0; i < normal.length; i++) normal[i] = random() < 0.5 ? 0 : 1;
  return dtype === 'float32' ? tensor(dtype, dims, normal) : fromNumbers(dtype, dims, normal);
}
