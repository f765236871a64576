/**
 * Build a ResNeXt, convert it between its forms, run it, draw it.
 * In Node: training on folders of images, and models as files, as well.
 *
 * @module resnext
 */

export { type LoadOptions, load } from '../classifier/load.ts';
export type { DownloadProgress } from '../hub/download.ts';
export { type Pulled, type PullOptions, pull } from '../hub/pull.ts';
export {
  type ComparedOption,
  type ComparedRun,
  type Comparison,
  compareRuns,
  type FoldGroup,
  type RunFigures,
} from '../report/compare.ts';
export { comparePage } from '../report/compare-page.ts';
export { type ReportRunOptions, reportRun } from '../report/run.ts';
export { type ExportOnnxOptions, exportOnnx } from '../saved/export.ts';
export { loadModel, saveModel } from '../saved/files.ts';
export { exportStateDict } from '../saved/layout.ts';
export { type ExportTransformersOptions, exportTransformers } from '../saved/transformers.ts';
export type { TrainEvent, TrainHooks } from '../train/events.ts';
export { findLearningRate, type SweepOptions } from '../train/find-learning-rate.ts';
export type { TrainResult } from '../train/loop.ts';
export type { TrainOptions } from '../train/options.ts';
export { type RecipeEntry, type RecipeName, type RecipeOptions, recipes } from '../train/recipes.ts';
export { resume, train } from '../train/run.ts';
export * from './resnext.ts';
