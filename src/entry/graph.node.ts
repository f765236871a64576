/** `resnext/graph` in Node: `graph.ts`, and ONNX files by path. */

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
