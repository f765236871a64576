/**
 * Graphs, their gradients, rewriting, lowering, ONNX, and sessions that run them.
 * In Node: ONNX files by path, and benchmarks, as well.
 *
 * @module resnext/graph
 */

export {
  type Benchmark,
  type BenchmarkOptions,
  benchmark,
  type Trial,
  type TuneResult,
  tune,
} from '../benchmark/benchmark.ts';
export { type CompareOptions, type Comparison, compareGraphs } from '../benchmark/compare.ts';
export { readOnnxFile, type WriteFileOptions, writeOnnxFile } from '../onnx/files.ts';
export { verifyGraph } from '../verify/graph.ts';
export * from './graph.ts';
