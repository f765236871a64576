/** The updates of a training step's state in standard operators: one body per operator of `graph/updates.ts`. */
import type { Builder } from '../graph/builder.ts';
import type { Value } from '../graph/graph.ts';
import type { Attributes } from '../graph/ops.ts';
import type { UpdateOp } from '../graph/updates.ts';

/** factor · x + y, where y has no other reader and may be overwritten. */
export type Plus = (x: Value, factor: number, y: Value) => Value;

/** `plus` multiplies and adds faster than two operators, if there is such a way. */
export type Body<O extends UpdateOp> = (
  b: Builder,
  inputs: readonly Value[],
  attributes: Attributes<O>,
  plus?: Plus,
) => readonly Value[];

export const updateBodies: { readonly [O in UpdateOp]: Body<O> } = {
  AdamWUpdate: adamWUpdate,
  MovingAverage: (b, [value, average, decay, share]) => [
    b.op('Add', [b.op('Mul', [average, decay]), b.op('Mul', [value, share])]),
  ],
  RmsPropUpdate: rmsPropUpdate,
  SgdUpdate: sgdUpdate,
};

function sgdUpdate(
  b: Builder,
  [w, gradient, buffer, rate]: readonly Value[],
  { momentum, nesterov, weight_decay }: Attributes<'SgdUpdate'>,
  plus: Plus = (x, factor, y) => sumOf(b, x, factor, y),
): readonly Value[] {
  const g = weight_decay === 0 ? gradient! : plus(w!, weight_decay, gradient!);
  const next = momentum === 0 ? b.op('Identity', [g]) : sumOf(b, buffer!, momentum, g);
  const direction = nesterov ? plus(next, momentum, g) : next;
  return [b.op('Sub', [w, b.op('Mul', [direction, rate])]), next];
}

function rmsPropUpdate(
  b: Builder,
  [w, gradient, square, buffer, rate]: readonly Value[],
  { alpha, epsilon, momentum, weight_decay }: Attributes<'RmsPropUpdate'>,
  plus: Plus = (x, factor, y) => sumOf(b, x, factor, y),
): readonly Value[] {
  const g = weight_decay === 0 ? gradient! : plus(w!, weight_decay, gradient!);
  const nextSquare = sumOf(b, square!, alpha, b.op('Mul', [b.op('Mul', [g, g]), b.number(1 - alpha)]));
  const scaled = b.op('Div', [g, b.op('Add', [b.op('Sqrt', [nextSquare]), b.number(epsilon)])]);
  const next = momentum === 0 ? scaled : sumOf(b, buffer!, momentum, scaled);
  return [b.op('Sub', [w, b.op('Mul', [next, rate])]), nextSquare, next];
}

/**
 * With scale = first/second: first·m'/(second·√v' + ε) = scale · m'/(√v' + ε/second), which saves one multiplication
 * per element.
 */
function adamWUpdate(
  b: Builder,
  [w, g, m, v, rate, first, second]: readonly Value[],
  { beta1, beta2, epsilon, weight_decay }: Attributes<'AdamWUpdate'>,
  plus: Plus = (x, factor, y) => sumOf(b, x, factor, y),
): readonly Value[] {
  const nextM = sumOf(b, m!, beta1, b.op('Mul', [g, b.number(1 - beta1)]));
  const squares = b.op('Mul', [b.op('Mul', [g, g]), b.number(1 - beta2)]);
  const nextV = sumOf(b, v!, beta2, squares);
  const floor = b.op('Div', [b.number(epsilon), second]);
  const scaled = b.op('Div', [nextM, b.op('Add', [b.op('Sqrt', [nextV]), floor])]);
  const direction = b.op('Mul', [scaled, b.op('Div', [first, second])]);
  const decayed = weight_decay === 0 ? direction : plus(w!, weight_decay, direction);
  return [b.op('Sub', [w, b.op('Mul', [decayed, rate])]), nextM, nextV];
}

/** factor · x + y */
const sumOf = (b: Builder, x: Value, factor: number, y: Value): Value =>
  b.op('Add', [b.op('Mul', [x, b.number(factor)]), y]);
