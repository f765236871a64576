/**
 * Takes the weights of a ResNeXt out of anybody's state dict: under our names, in form C and float32, ready for
 * `setWeights`. Tensors are read one by one and only if they are needed. What was done to them is reported.
 */
import { FormatError } from '../errors.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { countNames, type WeightSpec, weightSpecs } from '../model/weights.ts';
import type { DType, Tensor } from '../tensor.ts';
import { floatTensor, type StoredTensor } from '../weights/state-dict.ts';
import { adaptStem, initialHead } from './adapt.ts';
import { type Recognition, type RecognizeOptions, recognize } from './recognize.ts';

export interface ImportOptions extends RecognizeOptions {
  /** Another number of classes than the weights have; the head is then new. */
  readonly classes?: number;
  /** Other input channels than the weights have; the stem is then adapted. */
  readonly inputChannels?: number;
  /** Seed of a new head; 1 unless given. */
  readonly seed?: number;
  /** Read each tensor when its data is asked for, and anew each time: see `lazyTensor`. */
  readonly lazy?: boolean;
}

/** What was done to get the weights. */
export interface ImportReport {
  /** Whose names the tensors have, such as `timm`. */
  readonly layout: string;
  /** What stands before all of them, such as `module.`. */
  readonly prefix: string;
  readonly variant: string;
  readonly loaded: number;
  /** Of those, how many we call otherwise. */
  readonly renamed: number;
  /** How many were of another type than float32. */
  readonly converted: { readonly [D in DType]?: number };
  /** A sentence for each part that is not as it was in the file. */
  readonly adapted: readonly string[];
  /** Names of the tensors that the net does not need. */
  readonly unexpected: readonly string[];
  /** Names, as ours, of tensors that a complete state dict has. Counts of batches are of no consequence. */
  readonly missing: readonly string[];
  /** Sentences on what tensors do not tell. */
  readonly notes: readonly string[];
}

export interface ImportedWeights {
  readonly config: ResNeXtConfig;
  readonly variant: string;
  readonly weights: Map<string, Tensor>;
  /** Whether the head is new, and has to be trained. */
  readonly newHead: boolean;
  readonly report: ImportReport;
}

type Stored = ReadonlyMap<string, StoredTensor>;

/**
 * Form C weights from named tensors, whoever named them.
 *
 * @throws FormatError in one sentence where they are not those of a ResNeXt; UsageError for options out of range.
 * @example const { config, weights, report } = takeWeights(stateDict.tensors, { source: 'cats.pth', classes: 2 });
 */
export function importWeights(tensors: Stored, options: ImportOptions = {}): ImportedWeights {
  const found = recognize(tensors, options);
  const { classes = found.config.classes, inputChannels = found.config.inputChannels } = options;
  const model = resnext({ ...found.config, classes, inputChannels });
  const keepsHead = classes === found.config.classes;
  const head = keepsHead ? new Map<string, Tensor>() : initialHead(model, options.seed ?? 1);
  const converted = new Map<DType, number>();
  const weights = new Map<string, Tensor>();
  for (const spec of weightSpecs(model)) {
    const initial = head.get(spec.name);
    weights.set(
      spec.name,
      initial ?? importOne(tensors.get(found.names.get(spec.name)!)!, spec, converted, options.lazy === true),
    );
  }
  for (const name of countNames(model)) {
    const stored = tensors.get(found.names.get(name) ?? '');
    if (stored?.dtype === 'int64' && stored.dims.length === 0) weights.set(name, stored.read());
  }
  const adapted = adaptations(found.config, model);
  return {
    config: model.config,
    variant: found.variant,
    weights,
    newHead: head.size > 0,
    report: reportOf(tensors, found, model, { adapted, converted, head }),
  };
}

const floats: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

function importOne(
  stored: StoredTensor,
  { name, dims }: WeightSpec,
  converted: Map<DType, number>,
  lazy: boolean,
): Tensor {
  const { dtype } = stored;
  if (!floats.includes(dtype)) {
    throw new FormatError(`"${name}" holds ${dtype}, and weights are floating-point numbers; is the net quantized?`);
  }
  if (dtype !== 'float32') converted.set(dtype, (converted.get(dtype) ?? 0) + 1);
  const isStem = dims.length === 4 && stored.dims[1] !== dims[1];
  return isStem ? adaptStem(floatTensor(stored, false), dims[1]!) : floatTensor(stored, lazy, dims);
}

/** What is done to the stem and the head, in sentences. */
function adaptations(from: ResNeXtConfig, { config }: Model): string[] {
  const sentences: string[] = [];
  if (from.inputChannels !== config.inputChannels) {
    const how = config.inputChannels === 1 ? 'its filters are added up' : 'its filters are repeated in turn and scaled';
    sentences.push(`The stem goes from ${from.inputChannels} to ${config.inputChannels} input channels: ${how}.`);
  }
  if (from.classes !== config.classes) {
    const now =
      config.classes === 0 ? 'there is none' : `it is new, for ${config.classes} classes, and has to be trained`;
    const before = from.classes === 0 ? 'There is no head' : `The head of ${from.classes} classes is left out`;
    sentences.push(`${before}: ${now}.`);
  }
  return sentences;
}

interface Done {
  readonly adapted: readonly string[];
  readonly converted: ReadonlyMap<DType, number>;
  readonly head: ReadonlyMap<string, Tensor>;
}

function reportOf(tensors: Stored, found: Recognition, model: Model, { adapted, converted, head }: Done): ImportReport {
  const specs = weightSpecs(model).filter(({ name }) => !head.has(name));
  const counts = countNames(model);
  const used = new Set([...specs.map(({ name }) => name), ...counts].map((name) => found.names.get(name)));
  return {
    layout: found.layout,
    prefix: found.prefix,
    variant: found.variant,
    loaded: specs.length,
    renamed: specs.filter(({ name }) => found.names.get(name) !== name).length,
    converted: Object.fromEntries(converted),
    adapted,
    unexpected: [...tensors.keys()].filter((name) => !used.has(name)),
    missing: [
      ...(found.config.classes === 0 ? ['fc.weight', 'fc.bias'] : []),
      ...counts.filter((name) => !found.names.has(name)),
    ],
    notes: found.ambiguities,
  };
}

/**
 * A report as lines of text.
 *
 * @example describeReport(report)[0] // 'resnext50_32x4d, in the names of mmpretrain: 267 tensors taken, 267 of them renamed.'
 */
export function describeReport(report: ImportReport): string[] {
  const {
    variant,
    layout,
    prefix,
    loaded: taken,
    renamed,
    converted,
    adapted,
    unexpected: leftOver,
    missing,
    notes,
  } = report;
  const behind = prefix === '' ? '' : ` behind "${prefix}"`;
  const lines = [
    `${variant}, in the names of ${layout}${behind}: ${taken} tensors taken${renamed > 0 ? `, ${renamed} of them renamed` : ''}.`,
  ];
  for (const [dtype, count] of Object.entries(converted))
    lines.push(`Converted to float32: ${count} tensors of ${dtype}.`);
  lines.push(...adapted);
  if (leftOver.length > 0) lines.push(`Left over: ${some(leftOver)}.`);
  const batches = missing.filter((name) => name.endsWith('num_batches_tracked'));
  const others = missing.filter((name) => !batches.includes(name));
  if (others.length > 0) lines.push(`Missing: ${some(others)}.`);
  if (batches.length > 0) lines.push(`Missing, of no consequence: ${batches.length} counts of batches.`);
  return [...lines, ...notes];
}

const some = (names: readonly string[]): string => {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
};
