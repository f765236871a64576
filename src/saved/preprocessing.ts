/**
 * A model whose images are made ready in another way than it says, such as at a larger size, and what is to be said of
 * that: published weights were evaluated with one resize and crop, and lose accuracy with others.
 */

import { lookUpWeights, preprocessingWarning } from '../catalog/published.ts';
import { atSize, type Preprocessing } from '../data/presets.ts';
import { interpolations } from '../data/resize.ts';
import { UsageError } from '../errors.ts';
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
  const { channels, size, resize, interpolation, mean, std } = preprocessing;
  for (const [name, value] of Object.entries({ size, resize })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new UsageError(`${name} = ${value} should be a whole number of pixels, at least 1.`);
    }
  }
  if (!interpolations.includes(interpolation)) {
    throw new UsageError(`interpolation = "${interpolation}" should be one of ${interpolations.join(', ')}.`);
  }
  if (channels !== inputChannels) {
    throw new UsageError(`channels = ${channels} should be ${inputChannels}, which is what the net reads.`);
  }
  for (const [name, values] of Object.entries({ mean, std })) {
    const sound = values.every((value) => Number.isFinite(value) && (name === 'mean' || value > 0));
    if (values.length === channels && sound) continue;
    const kind = name === 'mean' ? 'numbers' : 'numbers above 0';
    throw new UsageError(`${name} = [${values}] should be ${kind}, as many as the net reads channels: ${channels}.`);
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
