/**
 * `resnext export`: a trained model, or a variant with seeded initial weights, written for other programs. Each kind of
 * output is a line of `writers`.
 */
import { basename } from 'node:path';
import { defaultClassNames } from '../../catalog/class-names.ts';
import { preprocessingFor } from '../../data/presets.ts';
import { UsageError } from '../../errors.ts';
import { cost } from '../../graph/cost.ts';
import { initialWeights } from '../../model/init.ts';
import { resnext } from '../../model/resnext.ts';
import { setWeights } from '../../model/weights.ts';
import { convert } from '../../saved/convert.ts';
import { exportOnnx } from '../../saved/export.ts';
import { loadModel, type SavedModel } from '../../saved/files.ts';
import { exportStateDict } from '../../saved/layout.ts';
import { exportTransformers } from '../../saved/transformers.ts';
import { type ExportFormat, formatOf } from '../formats.ts';
import { modelPathUnlessVariant } from '../model.ts';
import type { Output } from '../output.ts';
import { type VariantOptions, variantOptions } from '../variant.ts';

export interface ExportOptions extends VariantOptions {
  readonly output: string;
  readonly seed: number;
  readonly format?: ExportFormat;
  readonly input?: 'float' | 'bytes';
  readonly softmax?: boolean;
  readonly layout?: string;
}

/** Writes the model, and says in a sentence how to use what was written. */
type Writer = (target: string, model: SavedModel, options: ExportOptions) => Promise<string>;

const writers: { readonly [F in ExportFormat]: Writer } = {
  onnx: writeOnnx,
  safetensors: writeWeights,
  transformers: writeTransformers,
};

export async function run([source]: readonly [string], options: ExportOptions, output: Output): Promise<number> {
  const format = options.format ?? formatOf(options.output);
  if (options.layout !== undefined && format !== 'safetensors') {
    throw new UsageError('--layout is for .safetensors files; end the output in .safetensors, or leave --layout out.');
  }
  const path = await modelPathUnlessVariant(source, output);
  const model = path === undefined ? fresh(source, options) : await trained(path, options);
  const use = await writers[format](options.output, model, options);
  const { parameters, macs, nodes } = cost(model.graph);
  const { form } = model.description.config;
  const result = { file: options.output, format, variant: model.description.variant, form, parameters, macs, nodes };
  output.document(result);
  output.line(
    `Wrote ${options.output}: ${result.variant}, form ${form}, ${parameters.toLocaleString('en')} parameters, ${nodes} nodes.`,
  );
  output.line(use);
  return 0;
}

async function writeOnnx(
  target: string,
  model: SavedModel,
  { input, softmax = false }: ExportOptions,
): Promise<string> {
  const normalize = input === 'bytes';
  await exportOnnx(target, model, { normalize, softmax });
  const { inputs, outputs } = model.graph;
  const [batch, channels, ...map] = inputs[0]!.dims!;
  const takes = normalize
    ? `pixels, uint8 [${[batch, ...map, channels].join(', ')}]`
    : `${inputs[0]!.name}, float32 [${[batch, channels, ...map].join(', ')}] normalized`;
  const gives = softmax ? 'probabilities' : outputs[0]!.name;
  return `It takes ${takes}, and gives ${gives} [${outputs[0]!.dims!.join(', ')}].`;
}

async function writeWeights(target: string, model: SavedModel, options: ExportOptions): Promise<string> {
  const { input, softmax, layout = 'torchvision' } = options;
  if (input !== undefined || softmax) {
    throw new UsageError(
      '--input and --softmax are for ONNX files; a file of weights has no graph to build them into.',
    );
  }
  const { config } = await exportStateDict(target, model, layout);
  return `Its tensors have the names of ${layout}.${config ? ` timm reads it with ${config}.` : ''}`;
}

async function writeTransformers(target: string, model: SavedModel, options: ExportOptions): Promise<string> {
  if (options.input !== undefined || options.softmax) {
    throw new UsageError('transformers.js prepares images and takes logits itself; leave --input and --softmax out.');
  }
  await exportTransformers(target, model);
  return `transformers.js opens it: pipeline('image-classification', '${basename(target)}').`;
}

async function trained(path: string, { form, shortcut, classes, size }: ExportOptions): Promise<SavedModel> {
  if (shortcut !== undefined || classes !== undefined || size !== undefined) {
    throw new UsageError('--shortcut, --classes and --size are for a new variant; a trained model keeps its own.');
  }
  const saved = await loadModel(path);
  if (form === undefined || form === saved.description.config.form) return saved;
  if (!saved.weights) throw new UsageError(`"${path}" is an ONNX file; write it in another form with resnext convert.`);
  return convert(saved, form);
}

/** A variant that nobody has trained: classes without names. */
function fresh(name: string, options: ExportOptions): SavedModel {
  const model = resnext(variantOptions(name, options));
  const { config, graph } = model;
  const weights = initialWeights(model, options.seed);
  setWeights(model, weights);
  const classes = defaultClassNames(config.classes);
  const preprocessing = preprocessingFor({ stem: config.stem, size: config.inputSize[0] });
  return { description: { variant: name, config, classes, preprocessing, metrics: {} }, graph, weights };
}
