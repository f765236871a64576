/**
 * How a kernel slides over a map: ONNX's window attributes (Conv, ConvTranspose, MaxPool, AveragePool) resolved to
 * numbers, one per spatial axis, including absent lists and `auto_pad`.
 *
 * A window of k taps, dilated by d, spans d·(k − 1) + 1 and fits ⌊(size + pads − span) / stride⌋ + 1 times.
 */
import { UsageError } from '../errors.ts';
import { type Dim, unknownDim } from './graph.ts';

export interface WindowAttributes {
  readonly kernel_shape: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly auto_pad: string;
  readonly dilations?: readonly number[];
  readonly ceil_mode?: number;
}

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before and after each spatial axis. */
  readonly begin: readonly number[];
  readonly end: readonly number[];
  /** Size of the output along each spatial axis; unknown if the size of the map is. */
  readonly output: readonly Dim[];
}

/**
 * Resolves the window over maps of size `input`. `kernel` overrides the attribute with the shape of a weight.
 *
 * @throws UsageError if a list does not match the number of spatial axes, or the window does not fit.
 */
export function resolveWindow(attributes: WindowAttributes, input: readonly Dim[], kernel?: readonly number[]): Window {
  const rank = input.length;
  const list = (name: string, values: readonly number[] | undefined, absent: number, count = rank) => {
    if (!values || values.length === 0) return new Array<number>(count).fill(absent);
    if (values.length !== count) throw new UsageError(`${name} is [${values}], but expected ${count} numbers.`);
    return values;
  };
  const taps = kernel ?? list('kernel_shape', attributes.kernel_shape, 1);
  const strides = list('strides', attributes.strides, 1);
  const dilations = list('dilations', attributes.dilations, 1);
  const pads = list('pads', attributes.pads, 0, 2 * rank);
  for (const [name, values] of Object.entries({ kernel_shape: taps, strides, dilations })) {
    if (values.some((value) => !(value >= 1)))
      throw new UsageError(`${name} is [${values}], but expected numbers of at least 1.`);
  }
  const begin = pads.slice(0, rank);
  const end = pads.slice(rank);
  const output = input.map((size, axis): Dim => {
    const span = dilations[axis]! * (taps[axis]! - 1) + 1;
    const stride = strides[axis]!;
    if (typeof size === 'string') {
      const isSame = attributes.auto_pad.startsWith('SAME') || begin[axis]! + end[axis]! === span - 1;
      return stride === 1 && isSame ? size : unknownDim;
    }
    if (attributes.auto_pad.startsWith('SAME')) {
      const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + span - size);
      begin[axis] = attributes.auto_pad === 'SAME_LOWER' ? Math.ceil(total / 2) : Math.floor(total / 2);
      end[axis] = total - begin[axis]!;
    }
    return positions(size, span, stride, begin[axis]!, end[axis]!, attributes.ceil_mode === 1);
  });
  return { kernel: taps, strides, dilations, begin, end, output };
}

/** How many times a window fits. In ceil mode the last one may extend past the end, but must start within the map. */
function positions(size: number, span: number, stride: number, begin: number, end: number, ceil: boolean): number {
  const room = size + begin + end - span;
  const count = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  if (count < 1) {
    throw new UsageError(`its window spans ${span}, but the map has size ${size} with padding ${begin} + ${end}.`);
  }
  return ceil && (count - 1) * stride >= size + begin ? count - 1 : count;
}
