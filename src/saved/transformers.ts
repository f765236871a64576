/**
 * Exports a model as a folder for transformers.js's image-classification pipeline: `config.json` (architecture and
 * labels), `preprocessor_config.json` (preprocessing) and `onnx/model.onnx` with the input `pixel_values`.
 * Formats: https://huggingface.co/docs/transformers.js, "custom models".
 *
 * transformers.js 4.3 has no ResNeXt. It chooses a class by `model_type`; the one for `resnet` simply runs the file and
 * reads `logits`, which is all these networks need. Its BitImageProcessor has the same steps as this package: resize
 * the shorter side, crop the center, rescale, normalize.
 */
import { join } from 'node:path';
import { checkArgument, checkOptions, type FieldsOf, path as pathKind } from '../arguments.ts';
import type { Preprocessing } from '../data/presets.ts';
import type { Interpolation } from '../data/resize.ts';
import { UsageError } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import type { Graph } from '../graph/graph.ts';
import { type WriteFileOptions, writeOnnxFile } from '../onnx/files.ts';
import { inlineLimit } from '../onnx/write.ts';
import { whole } from '../options.ts';
import { byteLength } from '../tensor.ts';
import type { ModelDescription } from './description.ts';
import { type SavedModel, savedModelKind } from './model.ts';
import { describedGraph } from './write.ts';

/** Pillow's codes. */
const resamples: { readonly [I in Interpolation]: number } = {
  nearest: 0,
  lanczos: 1,
  bilinear: 2,
  bicubic: 3,
  box: 4,
};

/** With more bytes of tensors than this, they go to `onnx/model.onnx_data`, and the config refers to it. */
export type ExportTransformersOptions = Pick<WriteFileOptions, 'externalAbove'>;

const fields: FieldsOf<ExportTransformersOptions> = {
  externalAbove: whole({ from: 0, doc: 'bytes of tensors in one file' }),
};

/**
 * Writes the folder, creating it if necessary. For a grayscale network, the graph converts RGB to grayscale.
 *
 * @throws UsageError if the model has no classes or no weights, or a file cannot be written.
 * @example
 * await exportTransformers('models/flowers', await loadModel('runs/flowers'));
 * // elsewhere: await (await pipeline('image-classification', 'flowers'))('rose.jpg')
 */
export async function exportTransformers(
  folder: string,
  model: SavedModel,
  options: ExportTransformersOptions = {},
): Promise<void> {
  checkArgument('folder', folder, pathKind);
  checkArgument('model', model, savedModelKind);
  checkOptions(fields, options);
  const { externalAbove = inlineLimit } = options;
  const { description } = model;
  if (description.config.classes === 0) {
    throw new UsageError(
      `The model (${description.variant}) has no classes, but image classification needs at least 1.`,
    );
  }
  const graph = describedGraph(model, description.preprocessing.channels === 1 ? ['grayscale'] : []);
  const [input] = graph.inputs;
  if (input?.dims?.[1] !== 3) {
    throw new UsageError(
      `The network has ${input?.dims?.[1]} input channels, but transformers.js provides images with 3.`,
    );
  }
  input.name = 'pixel_values';
  await writeOnnxFile(join(folder, 'onnx', 'model.onnx'), graph, { externalAbove, externalSuffix: '_data' });
  await writeJson(join(folder, 'preprocessor_config.json'), processorOf(description.preprocessing));
  await writeJson(join(folder, 'config.json'), configOf(description, tensorBytes(graph) > externalAbove));
}

/** Without `dtype`, transformers.js looks for a quantized file in browsers, which does not exist. */
function configOf({ variant, config, classes }: ModelDescription, isExternal: boolean): object {
  const labels = Array.from({ length: config.classes }, (_, k) => classes[k] ?? `class ${k}`);
  return {
    _name_or_path: variant,
    architectures: ['ResNetForImageClassification'],
    model_type: 'resnet',
    num_channels: 3,
    num_labels: labels.length,
    id2label: Object.fromEntries(labels.map((label, k) => [k, label])),
    label2id: Object.fromEntries(labels.map((label, k) => [label, k])),
    'transformers.js_config': { dtype: 'fp32', use_external_data_format: isExternal },
  };
}

function processorOf({ size, resize, interpolation, mean, std }: Preprocessing): object {
  const forRgb = (values: readonly number[]) => (values.length === 1 ? [...values, ...values, ...values] : values);
  return {
    image_processor_type: 'BitImageProcessor',
    do_convert_rgb: true,
    do_resize: true,
    size: { shortest_edge: resize },
    resample: resamples[interpolation],
    do_center_crop: true,
    crop_size: { height: size, width: size },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: forRgb(mean),
    image_std: forRgb(std),
  };
}

const tensorBytes = ({ initializers }: Graph): number =>
  [...initializers].reduce((sum, { tensor }) => sum + (tensor ? byteLength(tensor) : 0), 0);

const writeJson = (path: string, value: object): Promise<void> =>
  writeFileAtomically(path, `${JSON.stringify(value, null, 2)}\n`);
