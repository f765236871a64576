/**
 * A model whose images are made ready in another way than it says, such as at a larger size, and what is to be said of
 * that: published weights were evaluated with one resize and crop, and lose accuracy with others.
 */

import { lookUpWeights, preprocessingWarning } from '../catalog/published.ts';
import { atSize, type Preprocessing, preprocessingFields } from '../data/presets.ts';
import { UsageError } from '../errors.ts';
import { checkGiven } from '../options.ts';
import type { ModelDescription } from './description.ts';
import { assemble, type SavedModel } from './model.ts';

/**
 * The model with some of its preprocessing changed. Another size without a resize keeps their ratio, or is the larger
 * view that published weights were tested at.
 *
 * @throws UsageError for a number out of range, other channels than the net reads, or another size for an ONNX file,
 *   whose graph has its own.
 * @example withPreprocessing(await loadModel('resnext50_32x4d_a1h-0146ab0a.pth'), { size: 288 })
 */
export function withPreprocessing(model: SavedModel, changes: Partial<Preprocessing>): SavedModel {
  const { description, weights } = model;
  const preprocessing = { ...description.preprocessing, ...resizing(description, changes), ...changes };
  checkPreprocessing(preprocessing, description.config.inputChannels);
  const { size } = preprocessing;
  const changed = { ...description, preprocessing };
  if (size === description.preprocessing.size) return { ...model, description: changed };
  if (!weights) throw new UsageError(`An ONNX file takes images of its own size; leave out size = ${size}.`);
  const config = { ...description.config, inputSize: [size, size] as const };
  return { ...model, ...assemble({ ...changed, config }, weights) };
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

/** The resize that goes with another size. */
function resizing({ weights, preprocessing }: ModelDescription, { size }: Partial<Preprocessing>) {
  if (size === undefined || size === preprocessing.size) return {};
  const { larger } = (weights !== undefined && lookUpWeights(weights)) || {};
  return larger?.size === size ? larger : atSize(preprocessing, size);
}

/** What is lost by the way images are made ready, where these are published weights and it is not theirs. */
export function preprocessingWarningFor({ weights, preprocessing }: ModelDescription): string | undefined {
  const entry = weights === undefined ? undefined : lookUpWeights(weights);
  return entry && preprocessingWarning(entry, preprocessing);
}
