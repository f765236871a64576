/**
 * Named tensors stored in a file. A reader checks the file's structure when opening it and reads a tensor's elements on
 * demand, so a large file never has to be in memory as a whole.
 */
import { type DType, lazyTensor, type Tensor, tensor } from '../tensor.ts';
import { toFloat32 } from './float32.ts';

/** A tensor in a file. */
export interface StoredTensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Reads the elements, row-major, into new memory. 16-bit floats keep their bits. */
  read(): Tensor;
}

/** The contents of a weights file. */
export interface StateDict {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Text that the file stores in addition to its tensors. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Class names in the order of the outputs, if the file has them. */
  readonly classes?: readonly string[];
  /** Notes to show the user, such as which of several nested dicts was used. */
  readonly notes: readonly string[];
}

/**
 * A stored tensor as float32: read now or, if `lazy`, each time its data is accessed.
 *
 * @param dims other dimensions for the same elements.
 * @throws UsageError if its elements are not floating-point numbers.
 */
export function floatTensor(stored: StoredTensor, lazy: boolean, dims = stored.dims): Tensor<'float32'> {
  const read = () => toFloat32(stored.read()).data;
  return lazy ? lazyTensor('float32', dims, read) : tensor('float32', dims, read());
}
