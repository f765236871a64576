/**
 * The operators that end a training step. Each computes the next state element by element, from vectors of equal length
 * and from scalars that all elements share. An entry has the attributes and the definition for one element; shape, cost
 * and kernel follow from it. `lower/updates.ts` expands them to standard operators, and the blocked lowering may join
 * the vectors of several nodes into one.
 *
 * An optimizer that needs several elements at a time, such as LARS with its norms, is an ordinary operator instead.
 */
import { float, int, type Specs, type ValuesOf } from './attributes.ts';

interface Update<S extends Specs> {
  readonly attributes: S;
  /** One element of each input, in order → one element of each output. */
  readonly element: (attributes: ValuesOf<S>) => (...inputs: number[]) => readonly number[];
}

const update = <S extends Specs>(attributes: S, element: Update<S>['element']): Update<S> => ({ attributes, element });

export const updates = {
  /**
   * w, gradient, m, v, learning rate, 1/(1 − β1^t), 1/√(1 − β2^t) → new w, new m, new v: AdamW (Loshchilov & Hutter,
   * 2019, algorithm 2) as PyTorch computes it. The two corrections are inputs because they change from step to step.
   */
  AdamWUpdate: update(
    { beta1: float(0.9), beta2: float(0.999), epsilon: float(1e-8), weight_decay: float(0) },
    ({ beta1, beta2, epsilon, weight_decay }) =>
      (w, g, m, v, rate, first, second) => {
        const nextM = beta1 * m + (1 - beta1) * g;
        const nextV = beta2 * v + (1 - beta2) * g * g;
        const direction = (first * nextM) / (second * Math.sqrt(nextV) + epsilon);
        return [w - rate * (direction + weight_decay * w), nextM, nextV];
      },
  ),
  /** value, average, decay, share → decay · average + share · value, where share is 1 − decay. */
  MovingAverage: update({}, () => (value, average, decay, share) => [decay * average + share * value]),
  /**
   * w, gradient, mean square, momentum buffer, learning rate → new w, new mean square, new buffer: RMSprop (Hinton, 2012) as
   * in PyTorch, with the learning rate outside the buffer.
   */
  RmsPropUpdate: update(
    { alpha: float(0.99), epsilon: float(1e-8), momentum: float(0), weight_decay: float(0) },
    ({ alpha, epsilon, momentum, weight_decay }) =>
      (w, gradient, square, buffer, rate) => {
        const g = gradient + weight_decay * w;
        const nextSquare = alpha * square + (1 - alpha) * g * g;
        const next = momentum * buffer + g / (Math.sqrt(nextSquare) + epsilon);
        return [w - rate * next, nextSquare, next];
      },
  ),
  /** w, gradient, momentum buffer, learning rate → new w, new buffer: stochastic gradient descent as in PyTorch. */
  SgdUpdate: update(
    { momentum: float(0), nesterov: int(0), weight_decay: float(0) },
    ({ momentum, nesterov, weight_decay }) =>
      (w, gradient, buffer, rate) => {
        const g = gradient + weight_decay * w;
        const next = momentum * buffer + g;
        return [w - rate * (nesterov ? g + momentum * next : next), next];
      },
  ),
};

export type UpdateOp = keyof typeof updates;

const updateOps: readonly UpdateOp[] = Object.keys(updates) as UpdateOp[];
const names: ReadonlySet<string> = new Set(updateOps);

export const isUpdate = (op: string | undefined): op is UpdateOp => op !== undefined && names.has(op);

/** A table with one row per update operator. */
export const everyUpdate = <T>(row: (op: UpdateOp) => T): { readonly [O in UpdateOp]: T } =>
  Object.fromEntries(updateOps.map((op) => [op, row(op)])) as { readonly [O in UpdateOp]: T };

export const updateAttributes = everyUpdate((op) => updates[op].attributes) as {
  readonly [O in UpdateOp]: (typeof updates)[O]['attributes'];
};
