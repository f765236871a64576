/** What the methods of a classifier take: images, prepared images, and options, with their checks. */
import { callback, checkArgument, checkList, type FieldsOf, hasAll, kind, object } from '../arguments.ts';
import { corruptChoices } from '../data/batch.ts';
import { type ImageSource, imageKind, sampleKind } from '../data/image-source.ts';
import { type Views, viewNames, viewsField } from '../data/presets.ts';
import { isSampleList, type LabeledImage, type LabeledList } from '../data/samples.ts';
import { UsageError } from '../errors.ts';
import type { Stage } from '../model/stages.ts';
import { list, oneOf, text, whole } from '../options.ts';
import { elements, isTensor, type Tensor, tensor } from '../tensor.ts';
import type { MeasureOptions } from './evaluation.ts';
import { type PredictionOptions, predictionFields } from './predictions.ts';

/** An image, or the result of `prepare`. */
export type ClassifierInput = ImageSource | Tensor<'float32'>;

/** How many images run at a time. */
export interface BatchOptions {
  /** Number of images to run at a time, counting each view of an image. Default: 32. */
  readonly batchSize?: number;
}

/** Which classes to list, and which views of an image to average. */
export interface ClassifyOptions extends PredictionOptions, BatchOptions {
  /** The center crop of the image ('center', the default), or several views whose logits are averaged. */
  readonly views?: Views;
}

/** Which features to return. */
export interface FeatureOptions extends BatchOptions {
  /** The stages whose maps to return. Default: the pooled vector only. */
  readonly stages?: readonly Stage[];
}

/** How to read the images of an evaluation, and what to report meanwhile. */
export interface EvaluateOptions extends MeasureOptions {
  /** As for `classify`. */
  readonly views?: Views;
}

const batchSize = whole({ from: 1, default: 32, doc: 'images to run at a time' });

/** Tables of the options above. */
export const batchFields = { batchSize };
export const classifyFields: FieldsOf<ClassifyOptions> = { ...predictionFields, batchSize, views: viewsField };
export const featureFields: FieldsOf<FeatureOptions> = {
  batchSize,
  stages: list(text({ expected: 'a name', doc: 'a stage' }), { doc: 'stages' }),
};
export const evaluateFields: FieldsOf<EvaluateOptions> = {
  batchSize,
  views: viewsField,
  loader: object('a Loader', (value) => hasAll(value, 'batches', 'close')),
  corrupt: oneOf(corruptChoices, { doc: 'how to treat an image that cannot be read' }),
  onCorrupt: callback('called for each image that cannot be read'),
  onProgress: callback('called after each batch'),
  onPrediction: callback('called for each image'),
};

const inputKind = kind(
  `${imageKind.expected}, or a prepared image`,
  (value) => isTensor(value) || imageKind.accepts(value),
);

/** Checks one image, or each of a list. */
export function checkInputs(images: unknown): void {
  if (Array.isArray(images)) checkList('images', images, inputKind);
  else checkArgument('image', images, inputKind);
}

/** Checks labeled images for a model with this number of classes. */
export function checkSamples(samples: LabeledList, classes: number): void {
  const label = whole({ from: 0, to: classes - 1, doc: 'a class' });
  if (isSampleList(samples)) {
    for (let i = 0; i < samples.length; i++) {
      if (!label.accepts(samples.label(i))) checkArgument(`The label of sample ${i}`, samples.label(i), label);
    }
    return;
  }
  const sample = kind(`{ path, label } with ${label.expected.replace('a ', 'a label that is a ')}`, (value) => {
    return hasAll(value, 'label') && sampleKind.accepts(value) && label.accepts((value as LabeledImage).label);
  });
  checkList('samples', samples, sample);
}

export const isPrepared = (image: ClassifierInput): image is Tensor<'float32'> => isTensor(image);

/**
 * Checks a prepared image.
 *
 * @param dims the dimensions that the model expects: [C, H, W].
 * @param counts the possible numbers of views V.
 * @throws UsageError unless it is float32 [V, C, H, W].
 */
export function checkPrepared(image: Tensor, dims: readonly number[], counts: readonly number[]): void {
  const [views, ...own] = image.dims;
  if (`${own}` !== `${dims}`) {
    throw new UsageError(
      `A prepared image is [${own.join(', ')}], but the model expects [${dims.join(', ')}]. Prepare it with this classifier.`,
    );
  }
  if (!counts.includes(views!)) {
    throw new UsageError(
      `A prepared image has ${views} views, but expected ${counts.join(' or ')} of one image. Give several images as a list of tensors.`,
    );
  }
  if (
    image.dtype !== 'float32' ||
    !(image.data instanceof Float32Array) ||
    image.data.length !== elements(image.dims)
  ) {
    throw new UsageError(
      `A prepared image is not float32 [${image.dims.join(', ')}]. Prepare it with this classifier.`,
    );
  }
}

/** The views that a list may be prepared with. */
export const viewsOf = (views: Views | undefined): readonly Views[] => (views === undefined ? viewNames : [views]);

/** Tensors of one shape [V, C, H, W] → [N·V, C, H, W]. */
export function stacked(images: readonly Tensor<'float32'>[]): Tensor<'float32'> {
  const { dims, data } = images[0]!;
  const whole = tensor('float32', [images.length * dims[0]!, ...dims.slice(1)]);
  for (const [n, image] of images.entries()) {
    if (`${image.dims}` === `${dims}`) whole.data.set(image.data, n * data.length);
    else {
      throw new UsageError(
        `Image ${n} was prepared as [${image.dims}], but the first one as [${dims}]. Prepare all with the same views.`,
      );
    }
  }
  return whole;
}
