/** The convolutions and pools on which every operator with a window is tested. */
import type { Attributes } from '../src/graph/ops.ts';
import { outputDims } from '../src/graph/shapes.ts';
import { resolveWindow, type WindowAttributes } from '../src/graph/window.ts';
import type { Random } from './tensors.ts';

type Dims = readonly number[];

const convolutionDefaults = { kernel_shape: [], strides: [], pads: [], auto_pad: 'NOTSET', dilations: [], group: 1 };
const poolDefaults = { kernel_shape: [], strides: [], pads: [], auto_pad: 'NOTSET', dilations: [], ceil_mode: 0 };

export interface ConvolutionCase {
  readonly x: Dims;
  readonly w: Dims;
  readonly y: Dims;
  readonly attributes: Partial<Attributes<'Conv'>>;
}

export interface PoolCase {
  readonly x: Dims;
  readonly y: Dims;
  readonly attributes: PoolAttributes;
}
type PoolAttributes = Partial<WindowAttributes>;

function convolution(x: Dims, w: Dims, attributes: Partial<Attributes<'Conv'>> = {}): ConvolutionCase {
  const [y] = outputDims('Conv', [{ dims: x }, { dims: w }], { ...convolutionDefaults, ...attributes }, 1);
  return { x, w, y: y as Dims, attributes };
}

/**
 * Groups, strides, uneven and automatic padding, dilations, pixels outside of all windows; then as many random cases.
 */
export const convolutions = (r: Random): ConvolutionCase[] => [
  convolution([2, 3, 5, 7], [4, 3, 3, 3], { pads: [1, 1, 1, 1] }),
  convolution([2, 5, 4, 3], [3, 5, 1, 1]),
  convolution([1, 6, 4, 3], [9, 2, 1, 1], { group: 3 }),
  convolution([2, 4, 6, 5], [2, 4, 1, 1], { strides: [2, 2] }),
  convolution([1, 2, 8, 7], [3, 2, 2, 1], { strides: [3, 3] }),
  convolution([1, 3, 11, 12], [2, 3, 7, 7], { strides: [2, 2], pads: [3, 3, 3, 3] }),
  convolution([2, 8, 6, 5], [8, 2, 3, 3], { group: 4, strides: [2, 2], pads: [1, 1, 1, 1] }),
  convolution([1, 6, 7, 6], [6, 2, 3, 3], { group: 3, pads: [2, 2, 2, 2], dilations: [2, 2] }),
  convolution([2, 4, 5, 6], [8, 1, 3, 3], { group: 4, pads: [1, 1, 1, 1] }),
  convolution([2, 4, 7, 9], [2, 2, 3, 2], { group: 2, strides: [2, 1], pads: [2, 0, 1, 3], dilations: [1, 3] }),
  convolution([1, 2, 6, 7], [2, 2, 3, 2], { strides: [2, 2], auto_pad: 'SAME_UPPER' }),
  convolution([1, 2, 6, 7], [2, 2, 3, 2], { strides: [2, 2], auto_pad: 'SAME_LOWER' }),
  convolution([1, 2, 5, 6], [2, 1, 4, 4], { auto_pad: 'SAME_LOWER', group: 2 }),
  convolution([1, 2, 5, 6], [2, 2, 3, 3], { auto_pad: 'VALID' }),
  ...Array.from({ length: 8 }, () => randomConvolution(r)),
];

function randomConvolution(r: Random): ConvolutionCase {
  const few = (count: number, low: number, high: number) => Array.from({ length: count }, () => r.integer(low, high));
  const [group, perGroup, filtersPerGroup] = few(3, 1, 3) as [number, number, number];
  const kernel = few(2, 1, 3);
  const attributes = { group, strides: few(2, 1, 3), pads: few(4, 0, 2), dilations: few(2, 1, 2) };
  const x = [r.integer(1, 2), group * perGroup, ...few(2, 5, 9)];
  return convolution(x, [group * filtersPerGroup, perGroup, ...kernel], attributes);
}

function pool(x: Dims, attributes: PoolAttributes): PoolCase {
  const { output } = resolveWindow({ ...poolDefaults, ...attributes }, x.slice(2));
  return { x, y: [...x.slice(0, 2), ...(output as Dims)], attributes };
}

/** Pools without dilations, which AveragePool does not support. */
export const pools = (r: Random): PoolCase[] => [
  pool([2, 3, 6, 7], { kernel_shape: [2, 2], strides: [2, 2] }),
  pool([1, 2, 7, 6], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  pool([1, 2, 7, 5], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
  pool([1, 2, 6, 7], { kernel_shape: [3, 2], strides: [2, 3], ceil_mode: 1, pads: [1, 0, 1, 1] }),
  pool([1, 1, 4, 4], { kernel_shape: [2, 2], strides: [3, 3], ceil_mode: 1, pads: [1, 1, 1, 1] }),
  pool([2, 2, 1, 3], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
  pool([2, 2, 5, 6], { kernel_shape: [1, 1], strides: [2, 2] }),
  pool([1, 2, 5, 6], { kernel_shape: [3, 2], pads: [0, 1, 2, 0] }),
  pool([1, 2, 6, 7], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: 'SAME_UPPER' }),
  pool([1, 2, 6, 7], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: 'SAME_LOWER' }),
  ...Array.from({ length: 6 }, () => randomPool(r)),
];

export const dilatedPools = (): PoolCase[] => [
  pool([1, 2, 7, 8], { kernel_shape: [2, 3], dilations: [2, 2] }),
  pool([2, 1, 8, 9], { kernel_shape: [3, 3], dilations: [2, 1], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 }),
];

function randomPool(r: Random): PoolCase {
  const kernel = [r.integer(1, 3), r.integer(1, 3)];
  const pads = [...kernel, ...kernel].map((taps) => r.integer(0, taps - 1));
  const strides = [r.integer(1, 3), r.integer(1, 3)];
  const x = [r.integer(1, 2), r.integer(1, 3), r.integer(4, 8), r.integer(4, 8)];
  return pool(x, { kernel_shape: kernel, strides, pads, ceil_mode: r.integer(0, 1) });
}
