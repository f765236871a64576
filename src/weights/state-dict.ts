/**
 * Named tensors stored in a file. A reader checks the file's structure when opening it and reads a tensor's elements on
 * demand, so a large file never has to be in memory as a whole.
 */
import { callback, type FieldsOf } from '../arguments.ts';
import { FormatError } from '../errors.ts';
import { text } from '../options.ts';
import { type DType, firstNonFinite, lazyTensor, type Tensor, tensor } from '../tensor.ts';
import type { ClassNames } from './class-names.ts';
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
  /** The lists of class names in the file, the outer ones first. */
  readonly classes?: readonly ClassNames[];
  /** Notes to show the user, such as which of several nested dicts was used. */
  readonly notes: readonly string[];
}

/** Which of the networks in a file to open. */
export interface StateDictOptions {
  /**
   * The key of the network in the file, or the beginning of the names of its tensors, such as `teacher` or `model.ema`.
   * Default: a moving average before a teacher, the best weights and all others.
   */
  readonly key?: string;
  /** Whether tensors are those of a network. Where a file has several dicts of tensors, those that are come first. */
  readonly isNetwork?: (tensors: ReadonlyMap<string, StoredTensor>) => boolean;
}

/** The option, for the tables of the command line and the library. */
export const key = text({
  expected: 'a key',
  flag: '--key <key>',
  usual: 'an average of weights before a teacher, the best weights and others',
  group: 'Model',
  doc: 'which network of a checkpoint to open, such as teacher or model.ema',
});

/** `StateDictOptions` with their checks. */
export const stateDictFields: FieldsOf<StateDictOptions> = {
  key,
  isNetwork: callback('whether tensors are those of a network'),
};

export interface FloatOptions {
  /** The tensor's name and its file, in errors. */
  readonly name: string;
  readonly source: string;
  /** Read the elements each time the tensor's data is accessed, instead of now. */
  readonly lazy?: boolean | undefined;
  /** Other dimensions for the same elements. */
  readonly dims?: readonly number[];
}

/**
 * A stored tensor as float32.
 *
 * @throws UsageError if its elements are not floating-point numbers; FormatError, when they are read, if one is NaN or
 *   infinite.
 */
export function floatTensor(stored: StoredTensor, options: FloatOptions): Tensor<'float32'> {
  const { name, source, lazy = false, dims = stored.dims } = options;
  const read = () => {
    const floats = toFloat32(stored.read());
    checkFinite(floats, name, source);
    return floats.data;
  };
  return lazy ? lazyTensor('float32', dims, read) : tensor('float32', dims, read());
}

/** @throws FormatError naming a weight that is NaN or infinite: a network with one returns no sensible number. */
export function checkFinite(weight: Tensor<'float32'>, name: string, source: string): void {
  const wrong = firstNonFinite(weight);
  if (wrong === undefined) return;
  throw new FormatError(
    `${source}: "${name}" contains ${wrong}, so the weights are broken; training may have diverged. Use an earlier checkpoint.`,
  );
}
