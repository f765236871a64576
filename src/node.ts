/** The package in Node: everything in `index.ts`, and what needs files, sharp or onnxruntime-node. */

export {
  type Benchmark,
  type BenchmarkOptions,
  benchmark,
  type Trial,
  type TuneResult,
  tune,
} from './benchmark/benchmark.ts';
export { type CompareOptions, type Comparison, compareGraphs } from './benchmark/compare.ts';
export { type HubConfig, readHubConfig, writeHubConfig } from './checkpoints/hub-config.ts';
export {
  Classifier,
  type ClassifierInput,
  type ClassifyOptions,
  type EvaluateOptions,
  type FeatureOptions,
} from './classifier/classifier.ts';
export type { Evaluation } from './classifier/evaluation.ts';
export type { Features } from './classifier/features.ts';
export { type LoadOptions, load } from './classifier/load.ts';
export type { ClassifierOptions } from './classifier/open.ts';
export type { Prediction } from './classifier/predictions.ts';
export { type Folder, type FolderOptions, openClasses, openFolder, type Sample } from './data/folder.ts';
export { decode } from './data/image.ts';
export { type ImageSource, readImage } from './data/image-source.ts';
export { type Batch, type EpochOptions, Loader, type LoaderOptions } from './data/loader.ts';
export type { DownloadProgress } from './hub/download.ts';
export { type HubEnvironment, hubEnvironment } from './hub/environment.ts';
export { type Pulled, type PullOptions, pull } from './hub/pull.ts';
export { resolveModel } from './hub/resolve.ts';
export * from './index.ts';
export { type ClassScore, type ConfusedPair, mostConfused } from './metrics/confusion.ts';
export { readOnnxFile, type WriteFileOptions, writeOnnxFile } from './onnx/files.ts';
export { convert } from './saved/convert.ts';
export type { ModelDescription } from './saved/description.ts';
export { type ExportOnnxOptions, exportOnnx } from './saved/export.ts';
export {
  fromStateDict,
  type ImportedModel,
  type ImportStateDictOptions,
  withChannels,
  withClasses,
} from './saved/external.ts';
export { loadModel, saveModel } from './saved/files.ts';
export { exportStateDict } from './saved/layout.ts';
export type { SavedModel } from './saved/model.ts';
export { type ExportTransformersOptions, exportTransformers } from './saved/transformers.ts';
export type { TrainEvent, TrainHooks } from './train/events.ts';
export { resume, type TrainResult, train } from './train/loop.ts';
export type { TrainOptions } from './train/options.ts';
export type { Schedule } from './train/schedule.ts';
export { verifyGraph } from './verify/graph.ts';
export { type FormResult, type Verification, type VerifyOptions, verify } from './verify/verify.ts';
export { fileSource, openStateDict, readSafetensorsFile, writeSafetensorsFile } from './weights/files.ts';
