/**
 * The description of a saved model, which has everything needed to use it: architecture, class names, preprocessing and
 * validation metrics. It is stored as `model.json`, and in the metadata of weights files and ONNX files.
 */
import * as z from 'zod';
import { type Preprocessing, preprocessingFields } from '../data/presets.ts';
import { FormatError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { configFields, type ResNeXtConfig } from '../model/config.ts';
import { schemaOf } from './schema.ts';
import { type Wrapper, wrapperNames } from './wrappers.ts';

/** Everything about a model but its weights; plain JSON. */
export interface ModelDescription {
  /** The variant's name, such as `resnext50_32x4d`. */
  readonly variant: string;
  readonly config: ResNeXtConfig;
  /** Class names in the order of the outputs. */
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
  /** The name, for `findWeights`, of the published weights that these are, if unchanged. */
  readonly weights?: string;
  /** Metrics on the validation images, such as `top1` in percent. */
  readonly metrics: Readonly<Record<string, number>>;
  /** In an ONNX file: what its graph does in addition to the network. Loading removes these. */
  readonly wrappers?: readonly Wrapper[];
}

/** The metadata key of the description. */
export const descriptionKey = 'resnext';

/** Version 0.1 called the wrappers `builtIn`, and two of them had other names. */
const formerNames = { normalise: 'normalize', grey: 'grayscale', softmax: 'softmax' } as const;

const schema = z.object({
  variant: z.string(),
  config: schemaOf(configFields),
  classes: z.array(z.string()),
  preprocessing: schemaOf(preprocessingFields),
  weights: z.string().exactOptional(),
  metrics: z.record(z.string(), z.number()),
  wrappers: z.array(z.enum(wrapperNames)).exactOptional(),
  builtIn: z.array(z.enum(['normalise', 'grey', 'softmax'])).exactOptional(),
});

export const writeDescription = (description: ModelDescription): string => JSON.stringify(description, null, 2);

/** The metadata of a safetensors file of the model's weights: the format that PyTorch writes, and the description. */
export const weightsMetadata = (description: ModelDescription): Map<string, string> =>
  new Map([
    ['format', 'pt'],
    [descriptionKey, writeDescription(description)],
  ]);

/**
 * @param source where the text is from, for the error message.
 * @throws FormatError if the text is not a description.
 */
export function readDescription(text: string, source: string): ModelDescription {
  const { data, error } = schema.safeParse(parseJson(text, `${source}: the model's description`));
  if (!data) {
    const { path, message } = error.issues[0]!;
    throw new FormatError(`${source}: "${path.join('.')}" in the model's description cannot be read: ${message}.`);
  }
  const { builtIn, ...description } = data;
  return builtIn ? { ...description, wrappers: builtIn.map((name) => formerNames[name]) } : description;
}
