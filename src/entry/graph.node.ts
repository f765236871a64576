/** `resnext/graph` in Node: `graph.ts`, and ONNX files by path. */

export { type Machine, Session, type SessionOptions, thisMachine } from '#platform';
export {
  type Benchmark,
  type BenchmarkOptions,
  benchmark,
  type Trial,
  type TuneResult,
  tune,
} from '../benchmark/benchmark.ts';
export { type CompareOptions, type Comparison, compareGraphs } from '../benchmark/compare.ts';
export { runConvolution, runConvolutionGradient } from '../convolution/runtime.ts';
export { readOnnxFile, type WriteFileOptions, writeOnnxFile } from '../onnx/files.ts';
export { verifyGraph } from '../verify/graph.ts';
export * from './graph.ts';
