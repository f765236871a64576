/**
 * The optimizers. A row has the settings, the vectors kept for each parameter (slots), the numbers that change with each
 * step (scalars), and the update: an operator of `graph/updates.ts`, or any composition of standard ones.
 */
import { checkArgument, checkOptions } from '../arguments.ts';
import type { Builder } from '../graph/builder.ts';
import type { Value } from '../graph/graph.ts';
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
  /** The next parameter, then its next slots. */
  update(b: Builder, inputs: UpdateInputs, settings: OptionsOf<T>): readonly Value[];
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

const rows = {
  sgd: row({
    settings: {
      momentum: real({
        from: 0,
        below: 1,
        default: 0.9,
        flag: '--momentum <m>',
        group: 'Optimization',
        doc: 'momentum of sgd',
      }),
      nesterov: flag({
        default: true,
        flag: '--no-nesterov',
        group: 'Optimization',
        doc: 'use plain momentum instead of Nesterov momentum in sgd',
      }),
    },
    usual: { learningRate: 0.1, scale: 'linear', weightDecay: 5e-4, normWeightDecay: 5e-4 },
    slots: ['momentum'],
    scalars: () => ({}),
    update: (b, { name, w, gradient, slots, rate, decay }, { momentum, nesterov }) => {
      const attributes = { momentum, nesterov: nesterov ? 1 : 0, weight_decay: decay };
      return b.node('SgdUpdate', [w, gradient, ...slots, rate], attributes, 2, `${name}.update`).outputs;
    },
  }),
  adamw: row({
    settings: {
      beta1: real({
        from: 0,
        below: 1,
        default: 0.9,
        flag: '--beta1 <b>',
        group: 'Optimization',
        doc: 'decay of the mean of the gradients in adamw',
      }),
      beta2: real({
        from: 0,
        below: 1,
        default: 0.999,
        flag: '--beta2 <b>',
        group: 'Optimization',
        doc: 'decay of the mean of the squared gradients in adamw',
      }),
      epsilon: real({
        above: 0,
        default: 1e-8,
        flag: '--epsilon <e>',
        group: 'Optimization',
        doc: 'number added to the divisor in adamw',
      }),
    },
    usual: { learningRate: 0.001, scale: 'square root', weightDecay: 0.01, normWeightDecay: 0 },
    slots: ['m', 'v'],
    scalars: ({ beta1, beta2 }, t) => ({
      firstCorrection: 1 / (1 - beta1 ** t),
      secondCorrection: 1 / Math.sqrt(1 - beta2 ** t),
    }),
    update: (b, { name, w, gradient, slots, rate, scalars, decay }, { beta1, beta2, epsilon }) => {
      const inputs = [w, gradient, ...slots, rate, ...scalars];
      const attributes = { beta1, beta2, epsilon, weight_decay: decay };
      return b.node('AdamWUpdate', inputs, attributes, 3, `${name}.update`).outputs;
    },
  }),
};

export type OptimizerName = keyof typeof rows;

export type OptimizerSettings = { readonly [O in OptimizerName]: OptionsOf<(typeof rows)[O]['settings']> };

/** An optimizer with its settings, as plain data: `{ name: 'sgd', momentum: 0.9, nesterov: true }`. */
export type Optimizer = {
  readonly [O in OptimizerName]: { readonly name: O } & OptimizerSettings[O];
}[OptimizerName];

export const optimizers: { readonly [O in OptimizerName]: OptimizerRow<(typeof rows)[O]['settings']> } = rows;

export const optimizerNames = Object.keys(optimizers) as readonly OptimizerName[];

/** The settings of all optimizers as one table of options. */
export const optimizerSettings = { ...rows.sgd.settings, ...rows.adamw.settings };

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
export const settingsOf = (name: OptimizerName, options: object): object => pick(optimizers[name].settings, options);

/** The factor on the learning rate if the batch size is multiplied by `ratio`. */
export const rateScale = (name: OptimizerName, ratio: number): number =>
  optimizers[name].usual.scale === 'linear' ? ratio : Math.sqrt(ratio);

/** A row of the table with settings applied. */
export interface BoundOptimizer {
  readonly slots: readonly string[];
  readonly scalars: (t: number) => Readonly<Record<string, number>>;
  readonly update: (b: Builder, inputs: UpdateInputs) => readonly Value[];
}

export function bindOptimizer<O extends OptimizerName>(
  settings: { readonly name: O } & OptimizerSettings[O],
): BoundOptimizer {
  const { slots, scalars, update }: OptimizerRow<(typeof rows)[O]['settings']> = optimizers[settings.name];
  return {
    slots,
    scalars: (t) => scalars(settings, t),
    update: (b, inputs) => update(b, inputs, settings),
  };
}
