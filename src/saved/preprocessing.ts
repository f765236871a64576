/**
 * Changes a model's preprocessing, for instance to a larger size, and warns about it: published weights were evaluated
 * with a certain resize and crop, and lose accuracy with others.
 */

import { checkArgument, checkOptions, optional } from '../arguments.ts';
import { lookUpWeights, preprocessingWarning } from '../catalog/published.ts';
import { atSize, type Preprocessing, preprocessingFields } from '../data/presets.ts';
import { UsageError } from '../errors.ts';
import { checkGiven } from '../options.ts';
import type { ModelDescription } from './description.ts';
import { hasFreeSize, reassemble, type SavedModel, savedModelKind } from './model.ts';

/** Everything may change, and nothing has to. */
const changeFields = optional(preprocessingFields);

/**
 * A model with changed preprocessing. If only the size changes, the resize keeps its ratio, or is that of the larger
 * view at which published weights were evaluated.
 *
 * @throws UsageError for a number out of range, a different number of channels than the network has, or a new size for
 *   an ONNX file without separate weights.
 * @example withPreprocessing(await loadModel('resnext50_32x4d_a1h-0146ab0a.pth'), { size: 288 })
 */
export function withPreprocessing(model: SavedModel, changes: Partial<Preprocessing>): SavedModel {
  const { description, weights } = model;
  checkArgument('model', model, savedModelKind);
  checkOptions(changeFields, changes);
  const preprocessing = { ...description.preprocessing, ...resizing(description, changes), ...changes };
  checkPreprocessing(preprocessing, description.config.inputChannels);
  const { size } = preprocessing;
  const changed = { ...description, preprocessing };
  if (size === description.preprocessing.size) return { ...model, description: changed };
  const config = { ...description.config, inputSize: [size, size] as const };
  if (!weights && hasFreeSize(model.graph)) return { ...model, description: { ...changed, config } };
  if (!weights) throw new UsageError(`size is ${size}, but the input size of an ONNX file cannot change. Omit size.`);
  return { ...model, ...reassemble(model, { ...changed, config }, weights) };
}

function checkPreprocessing(preprocessing: Preprocessing, inputChannels: number): void {
  checkGiven(preprocessingFields, preprocessing);
  const { channels, mean, std } = preprocessing;
  if (channels !== inputChannels) {
    throw new UsageError(`channels is ${channels}, but the network reads ${inputChannels}.`);
  }
  for (const [name, values] of Object.entries({ mean, std })) {
    if (values.length === channels) continue;
    throw new UsageError(
      `${name} is [${values}], but expected a number for each of the network's ${channels} channels.`,
    );
  }
}

/** The resize for a new size. */
function resizing({ weights, preprocessing }: ModelDescription, { size }: Partial<Preprocessing>) {
  if (size === undefined || size === preprocessing.size) return {};
  const { larger } = (weights !== undefined && lookUpWeights(weights)) || {};
  return larger?.size === size ? larger : atSize(preprocessing, size);
}

/** A warning if published weights are used with different preprocessing than they were evaluated with. */
export function preprocessingWarningFor({ weights, preprocessing }: ModelDescription): string | undefined {
  const entry = weights === undefined ? undefined : lookUpWeights(weights);
  return entry && preprocessingWarning(entry, preprocessing);
}
