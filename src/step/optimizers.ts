/**
 * The optimizers: what each keeps for a parameter, which numbers change from step to step, and its update. The update is
 * an operator of `graph/updates.ts`, or any composition of standard ones.
 */
import type { Builder } from '../graph/builder.ts';
import type { Value } from '../graph/graph.ts';

export interface OptimizerSettings {
  readonly sgd: { readonly momentum: number; readonly nesterov: boolean };
  readonly adamw: { readonly beta1: number; readonly beta2: number; readonly epsilon: number };
}

export type OptimizerName = keyof OptimizerSettings;

/** An optimizer with its settings, as plain data: `{ name: 'sgd', momentum: 0.9, nesterov: true }`. */
export type Optimizer = {
  readonly [O in OptimizerName]: { readonly name: O } & OptimizerSettings[O];
}[OptimizerName];

/** What an update reads. All vectors are flat, [n]. */
export interface UpdateSite {
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

interface OptimizerRow<S> {
  readonly defaults: S;
  /** Names of the vectors that it keeps for each parameter; they are zero at first. */
  readonly slots: readonly string[];
  /** The step's inputs beside the learning rate, for the update number t, from 1. */
  readonly scalars: (settings: S, t: number) => Readonly<Record<string, number>>;
  /** The next parameter, then its next slots. */
  readonly update: (b: Builder, site: UpdateSite, settings: S) => readonly Value[];
}

export const optimizers: { readonly [O in OptimizerName]: OptimizerRow<OptimizerSettings[O]> } = {
  sgd: {
    defaults: { momentum: 0.9, nesterov: true },
    slots: ['momentum'],
    scalars: () => ({}),
    update: (b, { name, w, gradient, slots, rate, decay }, { momentum, nesterov }) => {
      const attributes = { momentum, nesterov: nesterov ? 1 : 0, weight_decay: decay };
      return b.node('SgdUpdate', [w, gradient, ...slots, rate], attributes, 2, `${name}.update`).outputs;
    },
  },
  adamw: {
    defaults: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
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
  },
};

export const optimizerNames: readonly OptimizerName[] = Object.keys(optimizers) as OptimizerName[];

/** An optimizer with the settings that it has where none are given. */
export const defaultOptimizer = (name: OptimizerName): Optimizer =>
  ({ name, ...optimizers[name].defaults }) as Optimizer;

/** A row of the table with its settings filled in. */
export interface BoundOptimizer {
  readonly slots: readonly string[];
  readonly scalars: (t: number) => Readonly<Record<string, number>>;
  readonly update: (b: Builder, site: UpdateSite) => readonly Value[];
}

export function bindOptimizer<O extends OptimizerName>(
  optimizer: { readonly name: O } & OptimizerSettings[O],
): BoundOptimizer {
  const { slots, scalars, update }: OptimizerRow<OptimizerSettings[O]> = optimizers[optimizer.name];
  return {
    slots,
    scalars: (t) => scalars(optimizer, t),
    update: (b, site) => update(b, site, optimizer),
  };
}
