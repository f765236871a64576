/** Grouped convolution on plain float32 tensors, run on ONNX Runtime. */

import { runOnce, type SessionOptions, sessionFields } from '#platform';
import { checkOptions } from '../arguments.ts';
import { lowerStandard } from '../lower/standard.ts';
import { pick } from '../options.ts';
import type { Tensor } from '../tensor.ts';
import {
  backwardFeeds,
  backwardGraph,
  type ConvolutionGradient,
  type ConvolutionOptions,
  convolutionFields,
  forwardFeeds,
  forwardGraph,
  gradientOf,
} from './convolution.ts';

type RunOptions = ConvolutionOptions & SessionOptions;

const fields = { ...convolutionFields, ...sessionFields };

const settingsOf = (options: RunOptions): SessionOptions => pick<SessionOptions>(sessionFields, options);

/**
 * `convolution` on ONNX Runtime, in float32. Each call opens a session; to convolve many times, build a graph.
 *
 * @throws UsageError as `convolution` does, or if onnxruntime-node is not installed.
 * @example const y = await runConvolution(x, w, { groups: 32, padding: 1 });
 */
export async function runConvolution(x: Tensor, w: Tensor, options: RunOptions = {}): Promise<Tensor> {
  checkOptions(fields, options);
  const results = await runOnce(forwardGraph(x, w, options), forwardFeeds(x, w, options), settingsOf(options));
  return results.get('y')!;
}

/**
 * `convolutionGradient` on ONNX Runtime, in float32.
 *
 * @example const { dx, dw } = await runConvolutionGradient(x, w, dy, { groups: 32, padding: 1 });
 */
export async function runConvolutionGradient(
  x: Tensor,
  w: Tensor,
  dy: Tensor,
  options: RunOptions = {},
): Promise<ConvolutionGradient<Tensor>> {
  checkOptions(fields, options);
  const graph = lowerStandard(backwardGraph(x, w, dy, options));
  return gradientOf(await runOnce(graph, backwardFeeds(x, w, dy), settingsOf(options)));
}
