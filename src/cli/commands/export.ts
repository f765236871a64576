/** `resnext export`: a trained model, or a variant with seeded initial weights, as one ONNX file. */
import { existsSync } from 'node:fs';
import { convert } from '../../classifier/convert.ts';
import { exportOnnx, loadModel, type SavedModel } from '../../classifier/files.ts';
import { preprocessingFor } from '../../data/presets.ts';
import { UsageError } from '../../errors.ts';
import { cost } from '../../graph/cost.ts';
import { initialWeights } from '../../model/init.ts';
import { resnext } from '../../model/resnext.ts';
import { setWeights } from '../../model/weights.ts';
import type { Output } from '../output.ts';
import { type VariantOptions, variantOptions } from '../variant.ts';

export interface ExportOptions extends VariantOptions {
  readonly output: string;
  readonly seed: number;
}

export async function run([source]: readonly [string], options: ExportOptions, output: Output): Promise<number> {
  const model = existsSync(source) ? await trained(source, options) : fresh(source, options);
  await exportOnnx(options.output, model);
  const { parameters, macs, nodes } = cost(model.graph);
  const { form } = model.description.config;
  const result = { file: options.output, variant: model.description.variant, form, parameters, macs, nodes };
  output.document(result);
  output.line(
    `Wrote ${options.output}: ${result.variant}, form ${form}, ${parameters.toLocaleString('en')} parameters, ${nodes} nodes.`,
  );
  return 0;
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
  const classes = Array.from({ length: config.classes }, (_, k) => `class ${k}`);
  const preprocessing = preprocessingFor({ stem: config.stem, size: config.inputSize[0] });
  return { description: { variant: name, config, classes, preprocessing, metrics: {} }, graph, weights };
}
