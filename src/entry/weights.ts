/**
 * Files of weights in memory, checkpoints from elsewhere, the catalog of published weights.
 *
 * @module resnext/weights
 */

export type { HubSource, LabelSet, Metric, PublishedWeights, UrlSource } from '../catalog/entry.ts';
export { imagenetClasses } from '../catalog/imagenet.ts';
export { cifar10Classes, cifar100Classes, labelsOf } from '../catalog/labels.ts';
export { findWeights, preprocessingWarning, publishedWeights, weightsOfFile } from '../catalog/published.ts';
export { type ShippedModel, shippedModels } from '../catalog/shipped.ts';
export { adaptStem, initialHead } from '../checkpoints/adapt.ts';
export { type HubConfig, readHubConfig, writeHubConfig } from '../checkpoints/hub-config.ts';
export {
  describeReport,
  type ImportedWeights,
  type ImportOptions,
  type ImportReport,
  importWeights,
} from '../checkpoints/import.ts';
export { isNetwork, type Recognition, type RecognizeOptions, recognize } from '../checkpoints/recognize.ts';
export { layoutNames, writeStateDict } from '../checkpoints/write.ts';
export { gatherWeights, scatterWeights, stateDict, type WeightSpec, weightSpecs } from '../model/weights.ts';
export { fromStateDict, type ImportedModel, type ImportStateDictOptions } from '../saved/external.ts';
export { readLabels } from '../saved/label-file.ts';
export type { ClassNames } from '../weights/class-names.ts';
export { toFloat32 } from '../weights/float32.ts';
export { readStateDict } from '../weights/read.ts';
export { readSafetensors, type Safetensors, writeSafetensors } from '../weights/safetensors.ts';
export { readSharded } from '../weights/sharded.ts';
export { bytesSource, type Source } from '../weights/source.ts';
export type { StateDict, StateDictOptions, StoredTensor } from '../weights/state-dict.ts';
