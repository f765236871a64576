/**
 * The optimizers. A row has the settings, the vectors kept for each parameter (slots), the numbers that change with each
 * step (scalars), and the update: an operator of `graph/updates.ts`, or any composition of standard ones.
 */
import { checkArgument, checkOptions } from '../arguments.ts';
import type { Builder } from '../graph/builder.ts';
import type { Value } from '../graph/graph.ts';
import { largestFloat32 } from '../lower/standard.ts';
import { flag, type OptionsOf, oneOf, pick, real, resolve, type Table } from '../options.ts';

/** The inputs of an update. All vectors are flat, [n]. */
export interface UpdateInputs {
  readonly name: string;
  readonly w: Value;
  readonly gradient: Value;
  /** In the order of the row's `slots`. */
  readonly slots: readonly Value[];
  /** The parameter's own learning rate, []. */
  readonly rate: Value;
  /** In the order of the row's `scalars`, []. */
  readonly scalars: readonly Value[];
  readonly decay: number;
}

/** `T` is the table of its settings. */
interface OptimizerRow<T extends Table> {
  /** Settings, which `Optimizer` holds in a program, and which are flags of `resnext train`. */
  readonly settings: T;
  readonly usual: UsualRates;
  /** Names of the vectors kept for each parameter, which are initially zero. */
  readonly slots: readonly string[];
  /** Inputs of the step besides the learning rate, for update number t, counted from 1. */
  scalars(settings: OptionsOf<T>, t: number): Readonly<Record<string, number>>;
  /** The norm to which all gradients together are clipped. Default: they are not. */
  clipNorm?(settings: OptionsOf<T>): number;
  /** For each slice of a tensor, the next parameter, then its next slots. In form C, the only slice is all of it. */
  update(b: Builder, slices: readonly UpdateInputs[], settings: OptionsOf<T>): readonly (readonly Value[])[];
}

/** Default learning rate for the reference batch of a stem, its scaling with the batch size, and default weight decay. */
interface UsualRates {
  readonly learningRate: number;
  readonly scale: 'linear' | 'square root';
  readonly weightDecay: number;
  /** Weight decay of biases and normalization parameters. */
  readonly normWeightDecay: number;
}

const row = <T extends Table>(entry: OptimizerRow<T>): OptimizerRow<T> => entry;

/** Updates each slice by itself. */
const elementwise =
  <S>(update: (b: Builder, inputs: UpdateInputs, settings: S) => readonly Value[]) =>
  (b: Builder, slices: readonly UpdateInputs[], settings: S) =>
    slices.map((inputs) => update(b, inputs, settings));

const share = (spec: { readonly default: number; readonly flag: string; readonly doc: string }) =>
  real({ from: 0, below: 1, group: 'Optimization', ...spec });

/** Settings that several optimizers have, each with its own default. */
const momentum = (standard: number) => share({ default: standard, flag: '--momentum <m>', doc: 'momentum' });
const epsilon = (standard: number) =>
  real({
    above: 0,
    default: standard,
    flag: '--epsilon <e>',
    group: 'Optimization',
    doc: 'number added to the divisor',
  });
const moments = {
  beta1: share({ default: 0.9, flag: '--beta1 <b>', doc: 'decay of the mean of the gradients' }),
  beta2: share({ default: 0.999, flag: '--beta2 <b>', doc: 'decay of the mean of the squared gradients' }),
};

interface Moments {
  readonly beta1: number;
  readonly beta2: number;
}

/** The means of t gradients start from zero, and are too small by factors that these undo. */
const corrections = ({ beta1, beta2 }: Moments, t: number) => ({
  firstCorrection: 1 / (1 - beta1 ** t),
  secondCorrection: 1 / Math.sqrt(1 - beta2 ** t),
});

const rows = {
  sgd: row({
    settings: {
      momentum: momentum(0.9),
      nesterov: flag({
        default: true,
        flag: '--no-nesterov',
        group: 'Optimization',
        doc: 'use plain momentum instead of Nesterov momentum',
      }),
    },
    usual: { learningRate: 0.1, scale: 'linear', weightDecay: 5e-4, normWeightDecay: 5e-4 },
    slots: ['momentum'],
    scalars: () => ({}),
    update: elementwise((b, { name, w, gradient, slots, rate, decay }, { momentum, nesterov }) => {
      const attributes = { momentum, nesterov: nesterov ? 1 : 0, weight_decay: decay };
      return b.node('SgdUpdate', [w, gradient, ...slots, rate], attributes, 2, `${name}.update`).outputs;
    }),
  }),
  adamw: row({
    settings: { ...moments, epsilon: epsilon(1e-8) },
    usual: { learningRate: 0.001, scale: 'square root', weightDecay: 0.01, normWeightDecay: 0 },
    slots: ['m', 'v'],
    scalars: corrections,
    update: elementwise(adamWUpdate),
  }),
  lamb: row({
    settings: {
      ...moments,
      epsilon: epsilon(1e-6),
      maxGradientNorm: real({
        above: 0,
        default: 1,
        flag: '--max-gradient-norm <n>',
        group: 'Optimization',
        doc: 'norm to which all gradients together are clipped first',
      }),
    },
    usual: { learningRate: 0.002, scale: 'square root', weightDecay: 0.02, normWeightDecay: 0 },
    slots: ['m', 'v'],
    scalars: corrections,
    clipNorm: ({ maxGradientNorm }) => maxGradientNorm,
    update: lambUpdate,
  }),
  rmsprop: row({
    settings: {
      momentum: momentum(0),
      alpha: share({ default: 0.99, flag: '--alpha <a>', doc: 'decay of the mean of the squared gradients' }),
      epsilon: epsilon(1e-8),
    },
    usual: { learningRate: 0.001, scale: 'square root', weightDecay: 1e-5, normWeightDecay: 0 },
    slots: ['square', 'momentum'],
    scalars: () => ({}),
    update: elementwise((b, { name, w, gradient, slots, rate, decay }, { alpha, epsilon, momentum }) => {
      const attributes = { alpha, epsilon, momentum, weight_decay: decay };
      return b.node('RmsPropUpdate', [w, gradient, ...slots, rate], attributes, 3, `${name}.update`).outputs;
    }),
  }),
};

interface AdamSettings extends Moments {
  readonly epsilon: number;
}

function adamWUpdate(b: Builder, inputs: UpdateInputs, { beta1, beta2, epsilon }: AdamSettings): readonly Value[] {
  const { name, w, gradient, slots, rate, scalars, decay } = inputs;
  const attributes = { beta1, beta2, epsilon, weight_decay: decay };
  return b.node('AdamWUpdate', [w, gradient, ...slots, rate, ...scalars], attributes, 3, `${name}.update`).outputs;
}

/**
 * LAMB (You et al., 2020) as in timm. The direction u is AdamW's, with the decayed weight in it, and the step is as long as
 * the weight: w − rate · ‖w‖/‖u‖ · u. A parameter without weight decay takes AdamW's step.
 */
function lambUpdate(
  b: Builder,
  slices: readonly UpdateInputs[],
  settings: AdamSettings,
): readonly (readonly Value[])[] {
  if (slices[0]!.decay === 0) return slices.map((inputs) => adamWUpdate(b, inputs, settings));
  const directions = slices.map((inputs) => lambDirection(b, inputs, settings));
  const weight = norm(
    b,
    slices.map(({ w }) => w),
  );
  const direction = norm(
    b,
    directions.map(({ u }) => u),
  );
  const trust = trustRatio(b, weight, direction);
  return directions.map(({ u, nextM, nextV }, i) => {
    const { name, w, rate } = slices[i]!;
    return [b.op('Sub', [w, b.op('Mul', [u, b.op('Mul', [rate, trust])])], {}, `${name}.update`), nextM, nextV];
  });
}

function lambDirection(
  b: Builder,
  { w, gradient, slots: [m, v], scalars: [first, second], decay }: UpdateInputs,
  { beta1, beta2, epsilon }: AdamSettings,
) {
  const times = (x: Value | undefined, factor: number): Value => b.op('Mul', [x, b.number(factor)]);
  const nextM = b.op('Add', [times(m, beta1), times(gradient, 1 - beta1)]);
  const nextV = b.op('Add', [times(v, beta2), times(b.op('Mul', [gradient, gradient]), 1 - beta2)]);
  const divisor = b.op('Add', [b.op('Mul', [b.op('Sqrt', [nextV]), second]), b.number(epsilon)]);
  const adam = b.op('Div', [b.op('Mul', [nextM, first]), divisor]);
  return { u: b.op('Add', [adam, times(w, decay)]), nextM, nextV };
}

/** weight/direction, or 1 if one of the norms is zero. */
function trustRatio(b: Builder, weight: Value, direction: Value): Value {
  const one = b.number(1);
  const both = b.op('Mul', [isPositive(b, weight), isPositive(b, direction)]);
  const divisor = b.op('Add', [direction, b.op('Sub', [one, isPositive(b, direction)])]);
  return b.op('Add', [b.op('Mul', [both, b.op('Div', [weight, divisor])]), b.op('Sub', [one, both])]);
}

/** √Σx² over all elements of flat vectors, []. */
export function norm(b: Builder, vectors: readonly Value[]): Value {
  const squares = vectors.map((x) => b.op('ReduceSum', [b.op('Mul', [x, x])], { keepdims: 0 }));
  return b.op('Sqrt', [squares.length === 1 ? squares[0]! : b.op('Sum', squares)]);
}

/** 1 where x > 0, else 0, for x ≥ 0. */
const isPositive = (b: Builder, x: Value): Value => b.op('HardSigmoid', [x], { alpha: largestFloat32, beta: 0 });

export type OptimizerName = keyof typeof rows;

export type OptimizerSettings = { readonly [O in OptimizerName]: OptionsOf<(typeof rows)[O]['settings']> };

/** An optimizer with its settings, as plain data: `{ name: 'sgd', momentum: 0.9, nesterov: true }`. */
export type Optimizer = {
  readonly [O in OptimizerName]: { readonly name: O } & OptimizerSettings[O];
}[OptimizerName];

export const optimizers: { readonly [O in OptimizerName]: OptimizerRow<(typeof rows)[O]['settings']> } = rows;

export const optimizerNames = Object.keys(optimizers) as readonly OptimizerName[];

/** The settings of all optimizers as one table of options. Defaults depend on the optimizer. */
export const optimizerSettings = ofOptimizers({
  ...rows.sgd.settings,
  ...rows.adamw.settings,
  ...rows.lamb.settings,
  ...rows.rmsprop.settings,
});

/** Names the optimizers of each setting in its help, and lets its default depend on the optimizer. */
function ofOptimizers<T extends Table>(settings: T): T {
  const fields = Object.entries(settings).map(([name, field]) => {
    const owners = optimizerNames.filter((owner) => name in optimizers[owner].settings);
    const defaultOf = ({ optimizer }: { readonly optimizer: OptimizerName }) => defaultSetting(name, optimizer);
    const { default: _, ...rest } = field;
    const usual = perOptimizer((owner) => defaultSetting(name, owner), owners);
    const doc = `${field.doc} (${owners.join(', ')})`;
    return [name, { ...(usual.includes(' for ') ? { ...rest, defaultOf, usual } : field), doc }];
  });
  return Object.fromEntries(fields) as T;
}

/** Values that depend on the optimizer, in words: `0.9; 0 for rmsprop`. */
export function perOptimizer(of: (name: OptimizerName) => unknown, names = optimizerNames): string {
  const values = [...new Set(names.map(of))];
  const owners = (value: unknown) => names.filter((name) => of(name) === value).join(', ');
  const inWords = (value: unknown) =>
    typeof value === 'number' && value < 1e-4 && value > 0 ? value.toExponential() : value;
  return values.map((value, i) => `${inWords(value)}${i === 0 ? '' : ` for ${owners(value)}`}`).join('; ');
}

/** The default of a setting. An optimizer without it has that of the first one with it. */
export function defaultSetting(name: string, optimizer: OptimizerName): unknown {
  const tables: readonly Table[] = [optimizer, ...optimizerNames].map((owner) => optimizers[owner].settings);
  return tables.find((table) => name in table)?.[name]?.default;
}

/**
 * An optimizer with its settings. Missing ones get their defaults.
 *
 * @throws UsageError for a setting that it does not have; OptionError for an invalid one.
 * @example optimizerOf('adamw', { beta2: 0.99 }) // { name: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-8 }
 */
export function optimizerOf(name: OptimizerName, given: object = {}): Optimizer {
  checkArgument('name', name, oneOf(optimizerNames, { doc: 'optimizer' }));
  const { settings } = optimizers[name];
  checkOptions(settings, given);
  return { name, ...resolve(settings, given) } as Optimizer;
}

/** The settings of an optimizer among other options. */
export const settingsOf = (name: OptimizerName, options: object): object =>
  pick<object>(optimizers[name].settings, options);

/** The factor on the learning rate if the batch size is multiplied by `ratio`. */
export const rateScale = (name: OptimizerName, ratio: number): number =>
  optimizers[name].usual.scale === 'linear' ? ratio : Math.sqrt(ratio);

/** A row of the table with settings applied. */
export interface BoundOptimizer {
  readonly slots: readonly string[];
  /** The norm to which all gradients together are clipped, if they are. */
  readonly clipNorm: number | undefined;
  readonly scalars: (t: number) => Readonly<Record<string, number>>;
  readonly update: (b: Builder, slices: readonly UpdateInputs[]) => readonly (readonly Value[])[];
}

export function bindOptimizer<O extends OptimizerName>(
  settings: { readonly name: O } & OptimizerSettings[O],
): BoundOptimizer {
  const row: OptimizerRow<(typeof rows)[O]['settings']> = optimizers[settings.name];
  const { slots, scalars, update } = row;
  return {
    slots,
    clipNorm: row.clipNorm?.(settings),
    scalars: (t) => scalars(settings, t),
    update: (b, slices) => update(b, slices, settings),
  };
}
