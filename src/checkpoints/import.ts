/**
 * Imports the weights of a ResNeXt from a state dict in any naming scheme: renamed to this package's names, in form C
 * and float32, ready for `setWeights`. Only the tensors that are needed are read, one at a time. A report lists what
 * was done.
 */
import { checkOptions, type FieldsOf } from '../arguments.ts';
import { FormatError } from '../errors.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { countNames, type WeightSpec, weightSpecs } from '../model/weights.ts';
import { flag, pick, whole } from '../options.ts';
import { type DType, elements, type Tensor } from '../tensor.ts';
import { floatTensor, type StoredTensor } from '../weights/state-dict.ts';
import { adaptStem, forTwoClasses, initialHead } from './adapt.ts';
import { type Head, headNames, headWeights } from './head.ts';
import { type Recognition, type RecognizeOptions, recognize, recognizeFields } from './recognize.ts';

/** How tensors become the weights of a network. */
export interface ImportOptions extends RecognizeOptions {
  /**
   * Number of classes. If it differs from the weights', the head is initialized from scratch. By default, a head with one
   * output becomes one of two classes, with its sigmoid as the probability of the second; 1 keeps it.
   */
  readonly classes?: number;
  /** Number of input channels. If it differs from the weights', the stem is adapted. */
  readonly inputChannels?: number;
  /** Seed for a new head. Default: 1. */
  readonly seed?: number;
  /** Read a tensor every time its data is accessed, instead of now: see `lazyTensor`. */
  readonly lazy?: boolean;
}

/** `ImportOptions` with their checks. */
export const importFields: FieldsOf<ImportOptions> = {
  ...recognizeFields,
  classes: whole({ from: 0, doc: 'number of classes' }),
  inputChannels: whole({ from: 1, doc: 'channels of the input' }),
  seed: whole({ doc: 'seed of a new head' }),
  lazy: flag({ doc: 'read tensors when they are accessed' }),
};

/** How the weights were imported, in PyTorch's words: loaded, missing, unexpected. */
export interface ImportReport {
  /** The naming scheme of the tensors, such as `timm`. */
  readonly layout: string;
  /** The common prefix of all names, such as `module.`. */
  readonly prefix: string;
  readonly variant: string;
  /** Number of tensors loaded. */
  readonly loaded: number;
  /** How many of the loaded tensors have a different name in this package. */
  readonly renamed: number;
  /** How many tensors were converted to float32, by their type in the file. */
  readonly converted: { readonly [D in DType]?: number };
  /** One sentence for each part of the network that was changed. */
  readonly adapted: readonly string[];
  /** Names of tensors that the network does not have. */
  readonly unexpected: readonly string[];
  /** This package's names of tensors that a complete state dict has. Missing batch counts make no difference. */
  readonly missing: readonly string[];
  /** Notes to show the user on what could not be inferred from the tensors. */
  readonly notes: readonly string[];
}

export interface ImportedWeights {
  readonly config: ResNeXtConfig;
  readonly variant: string;
  readonly weights: Map<string, Tensor>;
  /** Whether the head was newly initialized and needs training. */
  readonly newHead: boolean;
  readonly report: ImportReport;
}

type Stored = ReadonlyMap<string, StoredTensor>;

/**
 * Imports form C weights from named tensors.
 *
 * @throws FormatError if they are not those of a ResNeXt; UsageError for options out of range.
 * @example const { config, weights, report } = importWeights(stateDict.tensors, { source: 'cats.pth', classes: 2 });
 */
export function importWeights(tensors: Stored, options: ImportOptions = {}): ImportedWeights {
  checkOptions(importFields, options);
  const found = recognize(tensors, pick<RecognizeOptions>(recognizeFields, options));
  const read = found.config.classes === 1 ? 2 : found.config.classes;
  const { classes = read, inputChannels = found.config.inputChannels } = options;
  const model = resnext({ ...found.config, classes, inputChannels });
  const keepsHead = classes === read || classes === found.config.classes;
  const newHead = keepsHead ? new Map<string, Tensor>() : initialHead(model, options.seed ?? 1);
  const head = keepsHead && found.head ? linearHead(tensors, found.head, classes, options.source) : newHead;
  const converted = new Map<DType, number>();
  checkDistinct(tensors, found, options.source);
  const weights = new Map<string, Tensor>();
  for (const spec of weightSpecs(model)) {
    const name = found.names.get(spec.name)!;
    weights.set(spec.name, head.get(spec.name) ?? importOne(tensors.get(name)!, name, spec, { ...options, converted }));
  }
  for (const name of countNames(model)) {
    const stored = tensors.get(found.names.get(name) ?? '');
    if (stored?.dtype === 'int64' && stored.dims.length === 0) weights.set(name, stored.read());
  }
  const adapted = adaptations(found.config, model, keepsHead);
  return {
    config: model.config,
    variant: found.variant,
    weights,
    newHead: newHead.size > 0,
    report: reportOf(tensors, found, model, { adapted, converted, newHead }),
  };
}

/** A file lists a tensor under several names if its module has several. A network has each of its tensors once. */
function checkDistinct(tensors: Stored, { names }: Recognition, source = 'The state dict'): void {
  const known = new Map<unknown, string>();
  for (const name of names.values()) {
    const stored = tensors.get(name);
    if (stored?.dims.length === 0) continue; // batch counts
    const other = known.get(stored);
    if (other !== undefined) {
      throw new FormatError(
        `${source}: "${other}" and "${name}" are the same data, which they never are in a network.`,
      );
    }
    known.set(stored, name);
  }
}

/** `fc.weight` [K, F] and `fc.bias` [K] of a head that is more than a linear layer, or less. */
function linearHead(tensors: Stored, head: Head, classes: number, source = 'The state dict'): Map<string, Tensor> {
  for (const name of headNames(tensors, head)) checkFloat(tensors.get(name)!, name);
  const { weight, bias } = headWeights(tensors, head, source);
  const single = head.classes === 1 && classes === 2;
  return new Map([
    ['fc.weight', single ? forTwoClasses(weight) : weight],
    ['fc.bias', single ? forTwoClasses(bias) : bias],
  ]);
}

const floats: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

function checkFloat({ dtype }: StoredTensor, name: string): void {
  if (floats.includes(dtype)) return;
  throw new FormatError(`"${name}" is ${dtype}, but expected floating-point numbers. Is the network quantized?`);
}

interface Importing extends Pick<ImportOptions, 'source' | 'lazy'> {
  readonly converted: Map<DType, number>;
}

/** @param name the tensor's name in the file. */
function importOne(
  stored: StoredTensor,
  name: string,
  spec: WeightSpec,
  { source = 'The state dict', lazy, converted }: Importing,
): Tensor {
  const { dtype } = stored;
  const { dims } = spec;
  checkFloat(stored, spec.name);
  if (dtype !== 'float32') converted.set(dtype, (converted.get(dtype) ?? 0) + 1);
  const isStem = dims.length === 4 && stored.dims[1] !== dims[1];
  if (isStem) return adaptStem(floatTensor(stored, { name, source }), dims[1]!);
  if (elements(stored.dims) === elements(dims)) return floatTensor(stored, { name, source, lazy, dims });
  return forTwoClasses(floatTensor(stored, { name, source, dims: dims.with(0, 1) }));
}

/** Describes how the stem and the head were adapted. */
function adaptations(from: ResNeXtConfig, { config }: Model, keepsHead: boolean): string[] {
  const sentences: string[] = [];
  if (from.inputChannels !== config.inputChannels) {
    const how = config.inputChannels === 1 ? 'summing its filters' : 'repeating and scaling its filters';
    sentences.push(`Adapted the stem from ${from.inputChannels} to ${config.inputChannels} input channels by ${how}.`);
  }
  if (keepsHead && from.classes !== config.classes) {
    sentences.push('Read the single output as that of two classes: its sigmoid is the probability of the second.');
  } else if (from.classes !== config.classes) {
    if (from.classes > 0) sentences.push(`Dropped the head for ${from.classes} classes.`);
    if (config.classes > 0) sentences.push(`Added a new head for ${config.classes} classes, which needs training.`);
  }
  return sentences;
}

interface Changes {
  readonly adapted: readonly string[];
  readonly converted: ReadonlyMap<DType, number>;
  readonly newHead: ReadonlyMap<string, Tensor>;
}

function reportOf(
  tensors: Stored,
  found: Recognition,
  model: Model,
  { adapted, converted, newHead }: Changes,
): ImportReport {
  const counts = countNames(model);
  const head = found.head && newHead.size === 0 ? headNames(tensors, found.head) : [];
  const specs = weightSpecs(model).filter(({ name }) => found.names.has(name) && !newHead.has(name));
  const used = [...[...specs.map(({ name }) => name), ...counts].map((name) => found.names.get(name)), ...head];
  const headCounts = head.map((name) => name.replace(/[^.]*$/, 'num_batches_tracked'));
  const usedTensors = new Set([...used, ...headCounts].map((name) => tensors.get(name ?? '')));
  return {
    layout: found.layout,
    prefix: found.prefix,
    variant: found.variant,
    loaded: specs.length + head.length,
    renamed: specs.filter(({ name }) => found.names.get(name) !== name).length + head.length,
    converted: Object.fromEntries(converted),
    adapted,
    unexpected: [...tensors].flatMap(([name, stored]) => (usedTensors.has(stored) ? [] : [name])),
    missing: [
      ...(found.config.classes === 0 ? ['fc.weight', 'fc.bias'] : []),
      ...counts.filter((name) => !found.names.has(name)),
    ],
    notes: found.ambiguities,
  };
}

/**
 * Formats a report as lines of text.
 *
 * @example describeReport(report)[0] // 'resnext50_32x4d: loaded 267 tensors named as in mmpretrain (267 renamed).'
 */
export function describeReport(report: ImportReport): string[] {
  const { variant, layout, prefix, loaded, renamed, converted, adapted, unexpected, missing, notes } = report;
  const prefixed = prefix === '' ? '' : ` with the prefix "${prefix}"`;
  const renames = renamed > 0 ? ` (${renamed} renamed)` : '';
  const lines = [`${variant}: loaded ${loaded} tensors named as in ${layout}${prefixed}${renames}.`];
  for (const [dtype, count] of Object.entries(converted))
    lines.push(`Converted ${count} ${count === 1 ? 'tensor' : 'tensors'} from ${dtype} to float32.`);
  lines.push(...adapted);
  if (unexpected.length > 0) lines.push(`Unexpected: ${list(unexpected)}.`);
  const batches = missing.filter((name) => name.endsWith('num_batches_tracked'));
  const others = missing.filter((name) => !batches.includes(name));
  if (others.length > 0) lines.push(`Missing: ${list(others)}.`);
  if (batches.length > 0) lines.push(`Missing, but not needed: ${batches.length} batch counts.`);
  return [...lines, ...notes];
}

const list = (names: readonly string[]): string => {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
};
