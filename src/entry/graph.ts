/**
 * Graphs, their gradients, rewriting, lowering, ONNX, and sessions that run them.
 *
 * @module resnext/graph
 */

export {
  availableProviders,
  type BoundSession,
  type Machine,
  Session,
  type SessionOptions,
  thisMachine,
  type WasmPaths,
} from '#platform';
export {
  type Benchmark,
  type BenchmarkOptions,
  benchmark,
  type Trial,
  type TuneResult,
  tune,
} from '../benchmark/benchmark.ts';
export { type CompareOptions, type Comparison, compareGraphs } from '../benchmark/compare.ts';
export {
  type ConvolutionGradient,
  type ConvolutionOptions,
  convolution,
  convolutionGradient,
} from '../convolution/convolution.ts';
export { runConvolution, runConvolutionGradient } from '../convolution/runtime.ts';
export { blockNames } from '../draw/block.ts';
export { drawGroupedConvolution, type GroupedConvolutionOptions } from '../draw/grouped.ts';
export { drawTwoVectors, type TwoVectorsOptions } from '../draw/vectors.ts';
export { gradient } from '../grad/gradient.ts';
export { Builder } from '../graph/builder.ts';
export { type Cost, cost, trainedParameters } from '../graph/cost.ts';
export { type Attribute, type Dim, Graph, Node, Value } from '../graph/graph.ts';
export { interpret, type Tensor64 } from '../graph/interpret.ts';
export type { Attributes, OpType } from '../graph/ops.ts';
export { inferShapes } from '../graph/shapes.ts';
export { toText } from '../graph/text.ts';
export { type InferenceOptions, lowerInference } from '../lower/inference.ts';
export { lowerStandard } from '../lower/standard.ts';
export type { Parameter } from '../model/layers.ts';
export { type Stage, type StageGraph, stageGraph, stageNames } from '../model/stages.ts';
export type { ExternalData } from '../onnx/external-data.ts';
export { type ReadOptions, readOnnx } from '../onnx/read.ts';
export { writeOnnx } from '../onnx/write.ts';
export { type Converted, convertGraph, optimizeGraph } from '../rewrite/convert.ts';
export type { Remark, RewriteReport } from '../rewrite/rewriter.ts';
export { type DType, type Tensor, tensor } from '../tensor.ts';
export { verifyGraph } from '../verify/graph.ts';
