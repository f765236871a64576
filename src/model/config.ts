/**
 * The config that defines a ResNeXt: one flat object. Depth, cardinality C and base width b are the paper's. A stage of n
 * features has branches of d = ⌊n·b/64⌋ channels, a transform of C·d channels and an output of 4n (paper, Table 1 and
 * section 3).
 *
 * A new option needs one entry in `configFields`. Its type, check and default, its line in the documentation, and its
 * value in models that were saved before it existed follow from the entry.
 */
import { checkOptions, type FieldsOf, hasAll, kind, object } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { either, flag, list, type OptionsOf, oneOf, pair, resolve, whole } from '../options.ts';
import { checkLimits } from './limits.ts';
import { type Stem, stemNames, stems } from './stems.ts';

export type { Stem };

/** The three forms of a block. They compute the same, as `verify` shows, and `convert` converts between them. */
export const forms = ['A', 'B', 'C'] as const;
export const shortcuts = ['A', 'B', 'C', 'D'] as const;

/** A form, as an argument. */
export const formKind = oneOf(forms, { doc: 'how blocks are built' });

/** How the blocks of a network are built: as in Figure 3 (a), (b) or (c) of the paper. */
export type Form = (typeof forms)[number];
export type Shortcut = (typeof shortcuts)[number];

const alwaysSaved = true;

export const configFields = {
  depths: list(whole({ from: 1, doc: 'blocks of a stage' }), {
    alwaysSaved,
    nonEmpty: true,
    default: [3, 4, 6, 3],
    doc: 'blocks per stage',
  }),
  cardinality: whole({ alwaysSaved, from: 1, default: 32, doc: 'number of branches C' }),
  baseWidth: whole({ alwaysSaved, from: 1, default: 4, doc: 'channels of a branch in a stage of 64 features' }),
  width: whole({
    alwaysSaved,
    from: 1,
    default: 64,
    doc: 'features n of the stem and the first stage; each later stage has twice as many',
  }),
  stem: oneOf(stemNames, {
    alwaysSaved,
    default: 'imagenet',
    doc: 'imagenet is a 7x7 convolution with stride 2 and a pool; deep has three 3x3 convolutions instead, of w, w and 2w features; tiered has 3w/4, w and 2w; cifar is one 3x3 convolution without a pool',
  }),
  stemWidth: whole({
    from: 1,
    default: 32,
    doc: 'features w of the second convolution of a deep or tiered stem; the stem’s output has 2w',
  }),
  stemPool: oneOf(['max', 'max-ceil', 'average'], {
    default: 'max',
    doc: 'max has 3x3 windows with stride 2, padded by 1; max-ceil has no padding and lets the last window overhang, as in the first SE networks; average has 2x2 windows, as in anti-aliased networks',
  }),
  shortcut: oneOf(shortcuts, {
    alwaysSaved,
    default: 'B',
    doc: 'shortcut where shapes change: A subsamples and pads with zero channels; B is a 1x1 projection; D, an average pool and a 1x1 projection; C is a projection in every block',
  }),
  shortcutKernel: oneOf([1, 3], { default: 1, doc: 'kernel of projections from the second stage on; 3 in SENet-154' }),
  attention: oneOf(['none', 'se', 'eca'], {
    default: 'none',
    doc: 'weights on a block’s output channels: squeeze-and-excitation (se) or its efficient variant (eca)',
  }),
  antialias: flag({
    default: false,
    doc: 'replace the stride of a block with a 2x2 average pool after its 3x3 convolution',
  }),
  halvedSplit: flag({
    default: false,
    doc: 'give the first 1x1 convolution of a block half as many channels as its 3x3, as in SENet-154',
  }),
  form: oneOf(forms, { alwaysSaved, default: 'C', doc: 'how each block is built; all three compute the same' }),
  classes: whole({
    alwaysSaved,
    from: 0,
    default: 1000,
    doc: 'number of classes; 0 leaves out the classifier, and the output is the pooled features',
  }),
  inputChannels: whole({ alwaysSaved, from: 1, default: 3, doc: 'channels of the input' }),
  inputSize: pair(whole({ from: 1, doc: 'height or width' }), {
    alwaysSaved,
    defaultOf: ({ stem }: { readonly stem: Stem }) => [stems[stem].inputSize, stems[stem].inputSize],
    usual: '224 x 224, or 32 x 32 with a cifar stem',
    doc: 'height and width of the input',
  }),
  outputStride: whole({
    alwaysSaved,
    from: 0,
    default: 0,
    doc: 'largest ratio of the input’s size to the last map’s; stages that would exceed it are dilated instead; 0 for no limit',
  }),
  zeroInitLast: flag({
    alwaysSaved,
    default: false,
    doc: 'initialize each block’s last normalization to 0, so that the block starts as its shortcut',
  }),
};

/** A full config, as an argument. */
export const configKind = kind('a config, such as that of resnext()', (value) =>
  hasAll(value, ...Object.keys(configFields)),
);

/** A full config, with all fields. docs/options.md lists them with their defaults. */
export interface ResNeXtConfig extends OptionsOf<typeof configFields> {}
export type StemPool = ResNeXtConfig['stemPool'];
export type Attention = ResNeXtConfig['attention'];

/** A config as people write it. Options that are left out are those of ResNeXt-50 32x4d; a single number means a square. */
export interface ResNeXtOptions extends Partial<Omit<ResNeXtConfig, 'inputSize'>> {
  readonly inputSize?: number | readonly [number, number];
}

/** The size is checked when it is a pair. */
const givenFields: FieldsOf<ResNeXtOptions> = {
  ...configFields,
  inputSize: object('a number, or a pair of numbers', (size) => typeof size === 'number' || Array.isArray(size)),
};

/**
 * Fills in defaults and checks the config.
 *
 * @throws OptionError naming the option, its value and the expected values; UsageError for options that contradict each
 *   other.
 * @example resolveConfig({ depths: [3, 3, 3], stem: 'cifar', cardinality: 8, baseWidth: 64, inputSize: 32 })
 */
export function resolveConfig(given: ResNeXtOptions): ResNeXtConfig {
  checkOptions(givenFields, given);
  const { inputSize, ...options } = given;
  const size = typeof inputSize === 'number' ? [inputSize, inputSize] : inputSize;
  const config = resolve(configFields, { ...options, inputSize: size });
  for (const check of [checkLimits, checkBranches, checkStem, checkShortcut, checkOutputStride]) check(config);
  return config;
}

function checkBranches({ width, baseWidth, depths, halvedSplit }: ResNeXtConfig): void {
  if (branchWidth(width, baseWidth) < 1) {
    const min = Math.ceil(64 / width);
    throw new UsageError(
      `baseWidth is ${baseWidth}, but width ${width} needs at least ${min}: branches would have ⌊${width}·${baseWidth}/64⌋ = 0 channels.`,
    );
  }
  const odd = depths.map((_, s) => branchWidth(width * 2 ** s, baseWidth)).find((d) => d % 2 === 1);
  if (halvedSplit && odd) {
    throw new UsageError(
      `halvedSplit is true, but needs an even number of channels per branch: baseWidth ${baseWidth} and width ${width} make ${odd}.`,
    );
  }
}

function checkStem({ stem, stemWidth, stemPool, inputSize: [height, width] }: ResNeXtConfig): void {
  if (stem === 'tiered' && stemWidth < 4) {
    throw new UsageError(
      `stemWidth is ${stemWidth}, but a tiered stem needs at least 4: its first convolution would have 3·⌊${stemWidth}/4⌋ = 0 features.`,
    );
  }
  if (!stems[stem].hasPool && stemPool !== 'max') {
    throw new UsageError(`stemPool is "${stemPool}", but the stem "${stem}" has no pool. Remove it.`);
  }
  if (stemPool !== 'max' && Math.min(height, width) < 3) {
    throw new UsageError(
      `inputSize is [${height}, ${width}], but stemPool "${stemPool}" needs at least 3 in both directions.`,
    );
  }
}

function checkShortcut(config: ResNeXtConfig): void {
  const { shortcut, shortcutKernel, width } = config;
  if (shortcutKernel !== 1 && shortcut !== 'B' && shortcut !== 'C') {
    throw new UsageError(
      `shortcutKernel is 3, but shortcut ${shortcut} has no strided projection. Use shortcut B or C.`,
    );
  }
  if (shortcut === 'A' && stemFeatures(config) > 4 * width) {
    throw new UsageError(
      `stemWidth is ${config.stemWidth}, so the stem has ${stemFeatures(config)} features, but shortcut A can only pad, and the first stage has ${4 * width}. Use another shortcut, or a smaller stemWidth.`,
    );
  }
}

function checkOutputStride(config: ResNeXtConfig): void {
  const { stride: first } = stems[config.stem];
  const natural = first * 2 ** (config.depths.length - 1);
  const allowed = [];
  for (let stride: number = first; stride <= natural; stride *= 2) allowed.push(stride);
  if (config.outputStride !== 0 && !allowed.includes(config.outputStride)) {
    throw new UsageError(
      `outputStride is ${config.outputStride}, but expected ${either([0, ...allowed])} for this network.`,
    );
  }
}

/** Features of the stem's output: 2w in a deep or tiered stem, else n. */
const stemFeatures = ({ stem, stemWidth, width }: ResNeXtConfig): number =>
  stem === 'deep' || stem === 'tiered' ? 2 * stemWidth : width;

/** Channels d of one branch in a stage of n features. */
export const branchWidth = (n: number, baseWidth: number): number => Math.floor((n * baseWidth) / 64);
