/** `resnext export`: a trained model, or a variant with seeded initial weights, as one ONNX file. */
import { existsSync } from 'node:fs';
import type { ModelDescription } from '../../classifier/description.ts';
import { exportOnnx, loadModel, type SavedModel } from '../../classifier/files.ts';
import { preprocessingFor } from '../../data/presets.ts';
import { UsageError } from '../../errors.ts';
import { cost } from '../../graph/cost.ts';
import type { Form, ResNeXtConfig, Shortcut } from '../../model/config.ts';
import { initialWeights } from '../../model/init.ts';
import { resnext } from '../../model/resnext.ts';
import { variant } from '../../model/variants.ts';
import { setWeights, type Weights } from '../../model/weights.ts';
import type { Output } from '../output.ts';

export interface ExportOptions {
  readonly output: string;
  readonly form?: Form;
  readonly shortcut?: Shortcut;
  readonly classes?: number;
  readonly size?: number;
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
  if (!saved.weights)
    throw new UsageError(`"${path}" is an ONNX file; --form needs a run folder or a .safetensors file.`);
  return built(saved.description, { ...saved.description.config, form }, saved.weights);
}

/** A variant that nobody has trained: classes without names. */
function fresh(name: string, { form = 'C', shortcut, classes, size, seed }: ExportOptions): SavedModel {
  const given = {
    ...(shortcut && { shortcut }),
    ...(classes !== undefined && { classes }),
    ...(size && { inputSize: size }),
  };
  const { config } = resnext({ ...variant(name), ...given, form });
  const labels = Array.from({ length: config.classes }, (_, k) => `class ${k}`);
  const preprocessing = preprocessingFor({ stem: config.stem, size: config.inputSize[0] });
  const description = { variant: name, config, classes: labels, preprocessing, metrics: {} };
  return built(description, config, initialWeights(resnext({ ...config, form: 'C' }), seed));
}

function built(description: ModelDescription, config: ResNeXtConfig, weights: Weights): SavedModel {
  const model = resnext(config);
  setWeights(model, weights);
  return { description: { ...description, config }, graph: model.graph, weights };
}
