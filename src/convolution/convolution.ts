/**
 * Grouped convolution on plain tensors, by its definition in float64. `runtime.ts` runs the same options on ONNX
 * Runtime. Both build the one-node graph below, so they reject the same inputs with the same errors.
 */

import { checkArgument, checkOptions, type FieldsOf, object } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { Builder } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { interpret, type Tensor64 } from '../graph/interpret.ts';
import type { Attributes } from '../graph/ops.ts';
import { whole } from '../options.ts';
import { isTensor, type Tensor, tensorKind } from '../tensor.ts';

/** A convolution besides its input and filters. */
export interface ConvolutionOptions {
  /** One number per filter. */
  readonly bias?: Tensor;
  /** Number of groups g, which divides the input channels and the filters. Defaults to 1. */
  readonly groups?: number;
  /** Step between windows in pixels: one number, or [vertical, horizontal]. Defaults to 1. */
  readonly stride?: number | readonly [number, number];
  /** Zeros around the map: one number, [vertical, horizontal], or [top, left, bottom, right]. Defaults to 0. */
  readonly padding?: number | readonly number[];
  /** Step between the taps of the kernel in pixels. Defaults to 1. */
  readonly dilation?: number | readonly [number, number];
}

const isCounts = (least: number, value: unknown): boolean =>
  (Array.isArray(value) ? value : [value]).every((each) => Number.isSafeInteger(each) && each >= least);

const isPair = (value: unknown): boolean => isCounts(1, value) && (!Array.isArray(value) || value.length === 2);

const isPadding = (value: unknown): boolean =>
  isCounts(0, value) && (!Array.isArray(value) || value.length === 2 || value.length === 4);

/** `ConvolutionOptions` with their checks. */
export const convolutionFields: FieldsOf<ConvolutionOptions> = {
  bias: object('a tensor', isTensor),
  groups: whole({ from: 1, doc: 'number of groups' }),
  stride: object('a whole number of at least 1, or a pair of them', isPair),
  padding: object('a whole number of at least 0, or two or four of them', isPadding),
  dilation: object('a whole number of at least 1, or a pair of them', isPair),
};

function checkTensors(tensors: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(tensors)) checkArgument(name, value, tensorKind);
}

/** Gradients of the loss with respect to x, w and, if there is one, the bias. */
export interface ConvolutionGradient<T extends Tensor> {
  readonly dx: T; // [N, n_in, H, W]
  readonly dw: T; // [n_out, n_in/g, kh, kw]
  readonly db?: T; // [n_out]
}

/**
 * y[n, m] = bias[m] + Σ_c w[m, c] ⋆ x[n, c of m's group]. (ONNX Conv; paper, section 3.)
 *
 * @param x [N, n_in, H, W]
 * @param w [n_out, n_in/g, kh, kw]
 * @returns [N, n_out, H', W'] in float64
 * @throws UsageError if the shapes and options do not fit together.
 * @example convolution(x, w, { groups: 32, stride: 2, padding: 1 })
 */
export function convolution(x: Tensor, w: Tensor, options: ConvolutionOptions = {}): Tensor64 {
  checkOptions(convolutionFields, options);
  return interpret(forwardGraph(x, w, options), forwardFeeds(x, w, options)).get('y')!;
}

/**
 * Gradients with respect to x, w and bias, given dy, the gradient of the output. (Defined in `graph/convolution.ts`.)
 *
 * @param x [N, n_in, H, W]
 * @param w [n_out, n_in/g, kh, kw]
 * @param dy [N, n_out, H', W']
 * @throws UsageError as `convolution` does, or if dy does not have the output's shape.
 * @example const { dx, dw } = convolutionGradient(x, w, dy, { groups: 32, padding: 1 });
 */
export function convolutionGradient(
  x: Tensor,
  w: Tensor,
  dy: Tensor,
  options: ConvolutionOptions = {},
): ConvolutionGradient<Tensor64> {
  checkOptions(convolutionFields, options);
  const results = interpret(backwardGraph(x, w, dy, options), backwardFeeds(x, w, dy));
  return gradientOf(results);
}

/** x, w and optional bias → y. */
export function forwardGraph(x: Tensor, w: Tensor, options: ConvolutionOptions): Graph {
  checkTensors({ x, w });
  const b = new Builder('convolution');
  const inputs = [b.input('x', x.dims), b.input('w', w.dims), options.bias && b.input('bias', options.bias.dims)];
  b.output(b.op('Conv', inputs, attributesOf(w, options), 'convolution'), 'y');
  return b.graph;
}

export function forwardFeeds(x: Tensor, w: Tensor, { bias }: ConvolutionOptions): Map<string, Tensor> {
  return new Map([['x', x], ['w', w], ...(bias ? [['bias', bias] as const] : [])]);
}

/** x, w, dy → dx, dw and, with a bias, db. */
export function backwardGraph(x: Tensor, w: Tensor, dy: Tensor, options: ConvolutionOptions): Graph {
  checkTensors({ x, w, dy });
  const expected = forwardGraph(x, w, options).outputs[0]!.dims!;
  if (`${expected}` !== `${dy.dims}`) {
    throw new UsageError(`dy has shape [${dy.dims}], but the convolution's output has shape [${expected}].`);
  }
  const b = new Builder('convolution gradient');
  const [xIn, wIn, dyIn] = [b.input('x', x.dims), b.input('w', w.dims), b.input('dy', dy.dims)];
  const attributes = attributesOf(w, options);
  b.output(b.op('ConvInputGrad', [dyIn, wIn], { ...attributes, input_shape: x.dims }), 'dx');
  b.output(b.op('ConvWeightGrad', [xIn, dyIn], { ...attributes, weight_shape: w.dims }), 'dw');
  if (options.bias) b.output(b.op('ReduceSum', [dyIn, b.ints([0, 2, 3])], { keepdims: 0 }), 'db');
  return b.graph;
}

export const backwardFeeds = (x: Tensor, w: Tensor, dy: Tensor): Map<string, Tensor> =>
  new Map([
    ['x', x],
    ['w', w],
    ['dy', dy],
  ]);

export function gradientOf<T extends Tensor>(results: ReadonlyMap<string, T>): ConvolutionGradient<T> {
  const db = results.get('db');
  return { dx: results.get('dx')!, dw: results.get('dw')!, ...(db && { db }) };
}

function attributesOf(w: Tensor, options: ConvolutionOptions): Partial<Attributes<'Conv'>> {
  const { groups = 1, stride = 1, padding = 0, dilation = 1 } = options;
  const pair = (value: number | readonly number[]) => (typeof value === 'number' ? [value, value] : [...value]);
  const pads = pair(padding);
  return {
    group: groups,
    kernel_shape: w.dims.slice(2),
    strides: pair(stride),
    dilations: pair(dilation),
    pads: pads.length === 2 ? [...pads, ...pads] : pads,
  };
}
