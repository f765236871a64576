/**
 * Named tensors as a file holds them. A reader checks a file's structure when it opens it and reads a tensor's elements
 * when they are asked for, so that a large file and what is made of it are never in memory twice.
 */
import { type DType, lazyTensor, type Tensor, tensor } from '../tensor.ts';
import { toFloat32 } from './float32.ts';

/** A tensor in a file. */
export interface StoredTensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** The elements, row-major, in memory of their own; 16-bit floats keep their bits. */
  read(): Tensor;
}

/** What a file of weights holds. */
export interface StateDict {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Text that the file keeps beside its tensors. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Names of the classes in the order of the outputs, where the file says them. */
  readonly classes?: readonly string[];
  /** What a person should know about how the file was read, such as which of several nested dicts was taken. */
  readonly notes: readonly string[];
}

/**
 * A stored tensor as float32: read now, or, `lazy`, each time that its data is asked for.
 *
 * @param dims other dimensions for the same elements.
 * @throws UsageError when its elements are no floating-point numbers.
 */
export function floatTensor(stored: StoredTensor, lazy: boolean, dims = stored.dims): Tensor<'float32'> {
  const read = () => toFloat32(stored.read()).data;
  return lazy ? lazyTensor('float32', dims, read) : tensor('float32', dims, read());
}
