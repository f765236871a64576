/** The package where there is no Node: graphs, models, gradients, files in memory. `node.ts` adds the rest. */

export {
  availableProviders,
  type BoundSession,
  type Machine,
  Session,
  type SessionOptions,
  thisMachine,
  type WasmPaths,
} from '#platform';
export type { HubSource, LabelSet, Metric, PublishedWeights, UrlSource } from './catalog/entry.ts';
export { imagenetClasses } from './catalog/imagenet.ts';
export { cifar10Classes, cifar100Classes, labelsOf } from './catalog/labels.ts';
export { findWeights, preprocessingWarning, publishedWeights, weightsOfFile } from './catalog/published.ts';
export { adaptStem, initialHead } from './checkpoints/adapt.ts';
export {
  describeReport,
  type ImportedWeights,
  type ImportOptions,
  type ImportReport,
  importWeights,
} from './checkpoints/import.ts';
export { type Recognition, type RecognizeOptions, recognize } from './checkpoints/recognize.ts';
export { layoutNames, writeStateDict } from './checkpoints/write.ts';
export {
  type ConvolutionGradient,
  type ConvolutionOptions,
  convolution,
  convolutionGradient,
} from './convolution/convolution.ts';
export { runConvolution, runConvolutionGradient } from './convolution/runtime.ts';
export type { Image } from './data/image.ts';
export {
  type Augmentation,
  augmentations,
  cifarPreprocessing,
  evaluationTransforms,
  imagenetPreprocessing,
  type Preprocessing,
  preprocessingFor,
  trainTransforms,
  type Views,
} from './data/presets.ts';
export { type Random, sampleRandom } from './data/random.ts';
export { type Interpolation, resize } from './data/resize.ts';
export { applyTransforms } from './data/transforms/apply.ts';
export { type Transform, type TransformKind, type Transforms, transforms } from './data/transforms/table.ts';
export { type BlockDrawingOptions, blockNames, drawBlock } from './draw/block.ts';
export { drawGroupedConvolution, type GroupedConvolutionOptions } from './draw/grouped.ts';
export type { DrawingOptions } from './draw/svg.ts';
export type { Theme } from './draw/theme.ts';
export { drawTwoVectors, type TwoVectorsOptions } from './draw/vectors.ts';
export { FormatError, UsageError } from './errors.ts';
export { gradient } from './grad/gradient.ts';
export { Builder } from './graph/builder.ts';
export { type Cost, cost, trainedParameters } from './graph/cost.ts';
export { type Attribute, type Dim, Graph, Node, Value } from './graph/graph.ts';
export { interpret, type Tensor64 } from './graph/interpret.ts';
export type { Attributes, OpType } from './graph/ops.ts';
export { inferShapes } from './graph/shapes.ts';
export { toText } from './graph/text.ts';
export { type InferenceOptions, lowerInference } from './lower/inference.ts';
export { lowerStandard } from './lower/standard.ts';
export {
  type Attention,
  type Form,
  forms,
  type ResNeXtConfig,
  type ResNeXtOptions,
  type Shortcut,
  type Stem,
  type StemPool,
} from './model/config.ts';
export { initialWeights } from './model/init.ts';
export type { Parameter } from './model/layers.ts';
export { type Model, resnext } from './model/resnext.ts';
export { type Stage, type StageGraph, stageGraph, stageNames } from './model/stages.ts';
export { variantName } from './model/variant-name.ts';
export { variant, variants } from './model/variants.ts';
export {
  gatherWeights,
  scatterWeights,
  setWeights,
  stateDict,
  type WeightSpec,
  type Weights,
  weightSpecs,
} from './model/weights.ts';
export type { ExternalData } from './onnx/external.ts';
export { type ReadOptions, readOnnx } from './onnx/read.ts';
export { writeOnnx } from './onnx/write.ts';
export { type Converted, convertGraph, optimizeGraph } from './rewrite/convert.ts';
export type { Remark, RewriteReport } from './rewrite/rewriter.ts';
export type { SavedModel } from './saved/model.ts';
export { type ReadModelOptions, readModel } from './saved/read.ts';
export { type DType, type Tensor, tensor } from './tensor.ts';
export { type StateSpec, type StepOptions, type TrainingStep, trainingStep } from './train/step.ts';
export { Trainer, type TrainerOptions } from './train/trainer.ts';
export { toFloat32 } from './weights/float32.ts';
export { readStateDict } from './weights/read.ts';
export { readSafetensors, type Safetensors, writeSafetensors } from './weights/safetensors.ts';
export { readSharded } from './weights/sharded.ts';
export { bytesSource, type Source } from './weights/source.ts';
export type { StateDict, StoredTensor } from './weights/state-dict.ts';
