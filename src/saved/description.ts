/**
 * The description of a saved model, which has everything needed to use it: architecture, class names, preprocessing and
 * validation metrics. It is stored as `model.json`, and in the metadata of weights files and ONNX files.
 */
import * as z from 'zod';
import { hasAll, kind } from '../arguments.ts';
import { type Preprocessing, preprocessingFields } from '../data/presets.ts';
import { FormatError, UsageError } from '../errors.ts';
import { configFields, type ResNeXtConfig, resolveConfig } from '../model/config.ts';
import { maxSide } from '../model/limits.ts';
import { parseBoundedJson } from '../weights/json.ts';
import { schemaOf } from './schema.ts';
import { type Wrapper, wrapperNames } from './wrappers.ts';

/** Everything about a model except its weights, as plain JSON. */
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
  /** How a training run made the model. Written to `model.json` only, so that the same weights are the same file. */
  readonly training?: TrainingRecord;
}

/** How a training run made a model, as plain JSON. */
export interface TrainingRecord {
  /** All options, with the defaults that were used. */
  readonly options: object;
  /** The folder, and the numbers of images in all and of each class. */
  readonly data: object;
  /** The variant, its parameters and multiply-adds, and how many parameters were trained. */
  readonly network: object;
  /** Of this package, Node and ONNX Runtime. */
  readonly versions: object;
  readonly machine: object;
}

/** A description, as an argument. */
export const descriptionKind = kind('a description, such as that of a model', (value) =>
  hasAll(value, 'variant', 'config', 'classes', 'preprocessing'),
);

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

/** The text for files that are more than a description. */
export const writeDescription = ({ training: _, ...description }: ModelDescription): string =>
  JSON.stringify(description, null, 2);

/** The text of `model.json`. */
export const writeModelJson = (description: ModelDescription): string => `${JSON.stringify(description, null, 2)}\n`;

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
  const { data, error } = schema.safeParse(parsed(text, source));
  if (!data) {
    const { path, message } = error.issues[0]!;
    throw new FormatError(`${source}: "${path.join('.')}" in the model's description cannot be read: ${message}.`);
  }
  const { builtIn, ...description } = data;
  checkConfig(description.config, source);
  checkSides(description.preprocessing, source);
  return builtIn ? { ...description, wrappers: builtIn.map((name) => formerNames[name]) } : description;
}

function parsed(text: string, source: string): unknown {
  try {
    return parseBoundedJson(new TextEncoder().encode(text)).value;
  } catch (cause) {
    const problem = cause instanceof SyntaxError ? 'is not JSON' : `cannot be read: ${(cause as Error).message}`;
    throw new FormatError(`${source}: the model's description ${problem}.`, { cause });
  }
}

/** The network is built from this config, so one that cannot be built is refused here, with the file's name. */
function checkConfig(config: ResNeXtConfig, source: string): void {
  try {
    resolveConfig(config);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new FormatError(`${source}: "config" in the model's description cannot be read: ${error.message}`);
  }
}

function checkSides({ size, resize }: Preprocessing, source: string): void {
  const side = Math.max(size, resize);
  if (side <= maxSide) return;
  throw new FormatError(
    `${source}: "preprocessing" in the model's description asks for images of ${side} pixels, but expected at most ${maxSide}.`,
  );
}
