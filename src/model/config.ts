/**
 * What defines a ResNeXt: one flat object. Depth, cardinality C and base width b are the paper's; a stage of n features
 * has branches of d = ⌊n·b/64⌋ channels, a transform of C·d channels and an output of 4n (paper, Table 1 and section 3).
 */
import { UsageError } from '../errors.ts';

export type Form = 'A' | 'B' | 'C';
export type Stem = 'imagenet' | 'deep' | 'tiered' | 'cifar';
export type StemPool = 'max' | 'max-ceil' | 'average';
export type Shortcut = 'A' | 'B' | 'C' | 'D';
export type Attention = 'none' | 'se' | 'eca';

export const forms: readonly Form[] = ['A', 'B', 'C'];

export interface ResNeXtConfig {
  /** Blocks per stage, such as [3, 4, 6, 3]. */
  readonly depths: readonly number[];
  /** Number of branches C. */
  readonly cardinality: number;
  /** Channels of a branch where the stage has 64 features. */
  readonly baseWidth: number;
  /** Features n of the stem and the first stage; each later stage has twice as many. */
  readonly width: number;
  /**
   * `imagenet`: 7x7 stride 2 and a pool. `deep`: three 3x3 in its place, of w, w and 2w features, the first with stride
   * 2. `tiered`: the same with 3w/4, w and 2w. `cifar`: one 3x3, no pool. w is `stemWidth`.
   */
  readonly stem: Stem;
  /** Features w of a deep or tiered stem's second convolution; the first stage then sees 2w. 32 is usual. */
  readonly stemWidth: number;
  /**
   * `max`: 3x3 windows with stride 2, padded by 1. `max-ceil`: the same without padding, hanging over the far edge, as in
   * the first SE networks. `average`: 2x2 windows, in anti-aliased nets.
   */
  readonly stemPool: StemPool;
  /**
   * Where shapes change, the shortcut is: A, subsampled and padded with zero channels (no parameters); B, a 1x1
   * projection; D, an average-pool and a 1x1 projection. C is a projection in every block.
   */
  readonly shortcut: Shortcut;
  /** Kernel of projections from the second stage on: 1, or SENet-154's 3. */
  readonly shortcutKernel: 1 | 3;
  /** Weights on a block's output channels: squeeze-and-excitation (`se`) or its efficient variant (`eca`). */
  readonly attention: Attention;
  /** Where a block has a stride, average 2x2 pixels after the 3x3 convolution with it, in place of a stride of its own. */
  readonly antialias: boolean;
  /** Give the first 1x1 of a block half of the 3x3's channels, as SENet-154 does. */
  readonly halvedSplit: boolean;
  /** How each block is written: see `forms.ts`. All three compute the same. */
  readonly form: Form;
  /** Number of classes; 0 leaves out the classifier, and the output is the pooled features. */
  readonly classes: number;
  readonly inputChannels: number;
  /** Height and width. */
  readonly inputSize: readonly [number, number];
  /** How much smaller than the input the last map is; stages that would go below are dilated instead. 0: no limit. */
  readonly outputStride: number;
  /** Start each block's last batch normalization at zero, so that the block starts as its shortcut. */
  readonly zeroInitLast: boolean;
}

/** A config as people write it: what is left out is ResNeXt-50 32x4d, a single number is a square. */
export type ResNeXtOptions = Partial<Omit<ResNeXtConfig, 'inputSize'>> & {
  readonly inputSize?: number | readonly [number, number];
};

const standard: ResNeXtConfig = {
  depths: [3, 4, 6, 3],
  cardinality: 32,
  baseWidth: 4,
  width: 64,
  stem: 'imagenet',
  stemWidth: 32,
  stemPool: 'max',
  shortcut: 'B',
  shortcutKernel: 1,
  attention: 'none',
  antialias: false,
  halvedSplit: false,
  form: 'C',
  classes: 1000,
  inputChannels: 3,
  inputSize: [224, 224],
  outputStride: 0,
  zeroInitLast: false,
};

/**
 * The full config, checked.
 *
 * @throws UsageError naming the option, what it is and what it may be.
 * @example resolveConfig({ depths: [3, 3, 3], stem: 'cifar', cardinality: 8, baseWidth: 64, inputSize: 32 })
 */
export function resolveConfig(options: ResNeXtOptions): ResNeXtConfig {
  const size = options.inputSize ?? (options.stem === 'cifar' ? 32 : 224);
  const config = { ...standard, ...options, inputSize: typeof size === 'number' ? ([size, size] as const) : size };
  checkRanges(config);
  checkBranches(config);
  checkStem(config);
  checkShortcut(config);
  checkOutputStride(config);
  return config;
}

/** Each option by itself. */
function checkRanges(config: ResNeXtConfig): void {
  if (config.depths.length === 0) throw new UsageError('depths = [] should name the blocks of at least one stage.');
  for (const depth of config.depths) wholeNumber('depths', depth, 1);
  for (const name of ['cardinality', 'baseWidth', 'width', 'stemWidth', 'inputChannels'] as const)
    wholeNumber(name, config[name], 1);
  for (const size of config.inputSize) wholeNumber('inputSize', size, 1);
  wholeNumber('classes', config.classes, 0);
  oneOf('stem', config.stem, ['imagenet', 'deep', 'tiered', 'cifar']);
  oneOf('stemPool', config.stemPool, ['max', 'max-ceil', 'average']);
  oneOf('shortcut', config.shortcut, ['A', 'B', 'C', 'D']);
  oneOf('attention', config.attention, ['none', 'se', 'eca']);
  oneOf('form', config.form, forms);
  if (![1, 3].includes(config.shortcutKernel)) {
    throw new UsageError(`shortcutKernel = ${config.shortcutKernel} should be one of 1, 3.`);
  }
}

function wholeNumber(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new UsageError(`${name} = ${value} should be a whole number of at least ${least}.`);
  }
}

function oneOf(name: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) throw new UsageError(`${name} = "${value}" should be one of ${choices.join(', ')}.`);
}

function checkBranches({ width, baseWidth, depths, halvedSplit }: ResNeXtConfig): void {
  if (branchWidth(width, baseWidth) < 1) {
    const least = Math.ceil(64 / width);
    throw new UsageError(
      `baseWidth = ${baseWidth} leaves branches of ⌊${width}·${baseWidth}/64⌋ = 0 channels; with width = ${width} it should be at least ${least}.`,
    );
  }
  const odd = depths.map((_, s) => branchWidth(width * 2 ** s, baseWidth)).find((d) => d % 2 === 1);
  if (halvedSplit && odd) {
    throw new UsageError(
      `halvedSplit needs branches of an even number of channels; baseWidth = ${baseWidth} with width = ${width} makes some of ${odd}.`,
    );
  }
}

function checkStem({ stem, stemWidth, stemPool, inputSize: [height, width] }: ResNeXtConfig): void {
  if (stem === 'tiered' && stemWidth < 4) {
    throw new UsageError(
      `stemWidth = ${stemWidth} leaves the first convolution of a tiered stem 3·⌊${stemWidth}/4⌋ = 0 features; it should be at least 4.`,
    );
  }
  if (stem === 'cifar' && stemPool !== 'max') {
    throw new UsageError(`stemPool = "${stemPool}" needs a stem with a pool; with stem = "cifar" leave it out.`);
  }
  if (stemPool !== 'max' && Math.min(height, width) < 3) {
    throw new UsageError(
      `inputSize = [${height}, ${width}] is too small for stemPool = "${stemPool}"; it should be at least 3 both ways.`,
    );
  }
}

function checkShortcut(config: ResNeXtConfig): void {
  const { shortcut, shortcutKernel, width } = config;
  if (shortcutKernel !== 1 && shortcut !== 'B' && shortcut !== 'C') {
    throw new UsageError(
      `shortcutKernel = 3 needs shortcut = B or C, not ${shortcut}, which has no strided projection.`,
    );
  }
  if (shortcut === 'A' && stemFeatures(config) > 4 * width) {
    throw new UsageError(
      `stemWidth = ${config.stemWidth} makes ${stemFeatures(config)} features, more than the ${4 * width} of the first stage, which shortcut A can only pad to.`,
    );
  }
}

function checkOutputStride(config: ResNeXtConfig): void {
  const natural = stemStride(config.stem) * 2 ** (config.depths.length - 1);
  const allowed = [];
  for (let stride = stemStride(config.stem); stride <= natural; stride *= 2) allowed.push(stride);
  if (config.outputStride !== 0 && !allowed.includes(config.outputStride)) {
    throw new UsageError(`outputStride = ${config.outputStride} should be one of ${allowed.join(', ')} for this net.`);
  }
}

/** How much smaller than the input the map is that the first stage sees. */
export const stemStride = (stem: Stem): number => (stem === 'cifar' ? 1 : 4);

/** Features that the first stage sees: 2w of a deep or tiered stem, else n. */
const stemFeatures = ({ stem, stemWidth, width }: ResNeXtConfig): number =>
  stem === 'deep' || stem === 'tiered' ? 2 * stemWidth : width;

/** Channels d of one branch in a stage of n features. */
export const branchWidth = (n: number, baseWidth: number): number => Math.floor((n * baseWidth) / 64);
