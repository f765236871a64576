/**
 * `resnext export`: writes a trained model, or a variant with seeded initial weights, for other programs. `writers` has
 * one row per format.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { defaultClassNames } from '../../catalog/class-names.ts';
import { preprocessingFor } from '../../data/presets.ts';
import { UsageError } from '../../errors.ts';
import { checkFolder, checkWritable } from '../../files.ts';
import { cost } from '../../graph/cost.ts';
import { initialWeights } from '../../model/init.ts';
import { resnext } from '../../model/resnext.ts';
import { stems } from '../../model/stems.ts';
import { float16Weights, type Weights } from '../../model/weights.ts';
import type { OptionsOf } from '../../options.ts';
import { convert } from '../../saved/convert.ts';
import { exportOnnx } from '../../saved/export.ts';
import { ownWeights } from '../../saved/external.ts';
import { loadModel, saveModel } from '../../saved/files.ts';
import { exportStateDict } from '../../saved/layout.ts';
import { assemble, freeSize, type SavedModel } from '../../saved/model.ts';
import { withPreprocessing } from '../../saved/preprocessing.ts';
import { exportTransformers } from '../../saved/transformers.ts';
import { type ExportFormat, formatOf } from '../formats.ts';
import { keyOf, modelPathUnlessVariant } from '../model.ts';
import { exportOptions } from '../options/models.ts';
import type { Output } from '../output.ts';
import { newNetwork, refuseIdle } from '../refuse.ts';
import { variantOptions } from '../variant.ts';

type ExportOptions = OptionsOf<typeof exportOptions>;

/** Writes one format. */
interface Writer {
  /** Returns a sentence on how to use the result. */
  readonly write: (target: string, model: SavedModel, options: ExportOptions) => Promise<string>;
  /** Options that have no effect on this format, each with the reason. */
  readonly idle: { readonly [O in keyof ExportOptions]?: string };
}

const noGraph = 'a file of weights has no graph';
const fixedGraph = 'transformers.js fixes input and output';

const writers: { readonly [F in ExportFormat]: Writer } = {
  onnx: {
    write: writeOnnx,
    idle: { layout: 'an ONNX file has no naming scheme', dtype: 'ONNX files are in float32' },
  },
  safetensors: { write: writeWeights, idle: { input: noGraph, softmax: noGraph, dynamicSize: noGraph } },
  transformers: {
    write: writeTransformers,
    idle: {
      input: fixedGraph,
      softmax: fixedGraph,
      dynamicSize: fixedGraph,
      layout: fixedGraph,
      dtype: 'ONNX files are in float32',
    },
  },
  resnext: {
    write: writeFolder,
    idle: {
      input: noGraph,
      softmax: noGraph,
      dynamicSize: noGraph,
      layout: 'the folder is for this package, which has its own',
    },
  },
};

export async function run(options: ExportOptions, output: Output): Promise<number> {
  const { model: source, output: target } = options;
  const format = options.format ?? formatOf(target);
  const { write, idle } = writers[format];
  for (const [name, because] of Object.entries(idle)) {
    refuseIdle(exportOptions, options, [name as keyof ExportOptions], because);
  }
  const isFolder = format === 'transformers' || format === 'resnext';
  await (isFolder ? checkFolder(target) : checkWritable(target));
  const path = await modelPathUnlessVariant(source, output);
  const model = path === undefined ? untrained(options) : await trained(path, options);
  const use = await write(target, model, options);
  const { parameters, macs, nodes } = cost(model.graph);
  const { variant, config } = model.description;
  output.document({ file: target, format, variant, form: config.form, parameters, macs, nodes });
  output.line(
    `Wrote ${target}: ${variant}, form ${config.form}, ${parameters.toLocaleString('en')} parameters, ${nodes} nodes.`,
  );
  output.line(use);
  return 0;
}

async function writeOnnx(
  target: string,
  model: SavedModel,
  { input, softmax, dynamicSize }: ExportOptions,
): Promise<string> {
  const normalize = input === 'bytes';
  await exportOnnx(target, model, { normalize, softmax, dynamicSize });
  const { inputs, outputs } = model.graph;
  const [batch, channels, ...fixed] = inputs[0]!.dims!;
  const map = dynamicSize ? freeSize : fixed;
  const takes = normalize
    ? `pixels, uint8 [${[batch, ...map, channels].join(', ')}]`
    : `${inputs[0]!.name}, float32 [${[batch, channels, ...map].join(', ')}] normalized`;
  const gives = softmax ? 'probabilities' : outputs[0]!.name;
  return `Input: ${takes}. Output: ${gives} [${outputs[0]!.dims!.join(', ')}].`;
}

async function writeWeights(
  target: string,
  model: SavedModel,
  { layout = 'torchvision', dtype }: ExportOptions,
): Promise<string> {
  const { config } = await exportStateDict(target, { ...model, weights: weightsIn(dtype, model) }, layout);
  return `Its tensors are named as in ${layout}.${config ? ` timm reads the file with ${config}.` : ''}`;
}

/** The model's own weights in a type. */
function weightsIn(dtype: ExportOptions['dtype'], model: SavedModel): Weights {
  const weights = ownWeights(model);
  return dtype === 'float16' ? float16Weights(weights) : weights;
}

async function writeFolder(target: string, model: SavedModel, { dtype }: ExportOptions): Promise<string> {
  if (existsSync(join(target, 'run.json'))) {
    throw new UsageError(`"${target}" is a training run, whose model would be replaced. Name another folder.`);
  }
  await saveModel(target, model.description, weightsIn(dtype, model));
  return `It has the model.safetensors and model.json of a run: use it with --model ${target}.`;
}

async function writeTransformers(target: string, model: SavedModel): Promise<string> {
  await exportTransformers(target, model);
  return `In transformers.js, set env.localModelPath to '${dirname(target)}/' and open it with pipeline('image-classification', '${basename(target)}').`;
}

async function trained(path: string, options: ExportOptions): Promise<SavedModel> {
  refuseIdle(exportOptions, options, ['shortcut', 'classes', 'seed'], 'a trained model has its own');
  const { form, size } = options;
  const saved = await loadModel(path, keyOf(options));
  const sized = size === undefined ? saved : withPreprocessing(saved, { size });
  if (form === undefined || form === sized.description.config.form) return sized;
  if (!sized.weights)
    throw new UsageError(`"${path}" is an ONNX file. Convert it to another form with resnext convert.`);
  return convert(sized, form);
}

/** A variant with initial weights and default class names. */
function untrained(options: ExportOptions): SavedModel {
  refuseIdle(exportOptions, options, ['key'], newNetwork);
  const variant = options.model;
  const model = resnext(variantOptions(variant, options));
  const { config } = model;
  const classes = defaultClassNames(config.classes);
  const preprocessing = preprocessingFor({ images: stems[config.stem].images, size: config.inputSize[0] });
  return assemble({ variant, config, classes, preprocessing, metrics: {} }, initialWeights(model, options.seed));
}
