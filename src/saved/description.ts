/**
 * What a saved model says about itself, so that using it needs nothing else: the net, its labels, how it wants its
 * images, and how well it did. It is the text of `model.json`, and travels inside the weights and ONNX files too.
 */
import * as z from 'zod';
import { type Preprocessing, preprocessingFields } from '../data/presets.ts';
import { FormatError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { configFields, type ResNeXtConfig } from '../model/config.ts';
import { schemaOf } from './schema.ts';
import { type Wrapper, wrapperNames } from './wrappers.ts';

export interface ModelDescription {
  /** The variant's name, such as `resnext50_32x4d`. */
  readonly variant: string;
  readonly config: ResNeXtConfig;
  /** Names of the classes, in the order of the outputs. */
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
  /** The published weights that these are, untouched: a name that `findWeights` takes. */
  readonly weights?: string;
  /** Such as `top1`, in percent, on the validation images. */
  readonly metrics: Readonly<Record<string, number>>;
  /** In an ONNX file: what its graph does beside the net. A model that was loaded is the net alone, and has none. */
  readonly wrappers?: readonly Wrapper[];
}

/** The key under which files keep the description among their metadata. */
export const descriptionKey = 'resnext';

/** Version 0.1 called the wrappers `builtIn`, and two of them by other names. */
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

/**
 * @param source what the text is from, for the message.
 * @throws FormatError when the text is not a description.
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
