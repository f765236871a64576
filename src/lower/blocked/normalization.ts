/**
 * Batch normalization with the batch's statistics, and its gradient, per channel over n values:
 *
 *   y  = s·(x − mean) + β            with s = γ·r and r = 1/√(variance + ε)
 *   dβ = Σ dy,  dγ = r·Σ dy·(x − mean)
 *   dx = s·(dy − dβ/n − (x − mean)·r·dγ/n)
 *
 * Both y and dx are affine in existing maps. y stays pending until its reader is known, so that the ReLU and the
 * shortcut's addition join the same pass. In dx, the factor s stays pending: the convolution before applies it to its
 * filters, which are smaller than the maps.
 */
import type { Value } from '../../graph/graph.ts';
import { sizes } from '../../graph/shapes.ts';
import { elements } from '../../tensor.ts';
import { perChannel } from './nodes.ts';
import { type Centered, compute, type Representation, type Representations } from './representations.ts';
import type { Rule } from './rules.ts';

export const normalization: Rule<'BatchNormTraining'> = ({ layouts, n, node, inputs, attributes }) => {
  const [x, gamma, beta, runningMean, runningVariance] = inputs as [Value, Value, Value, Value, Value];
  if (!layouts.isBlockable(x) || !layouts.isBlocked(x)) return undefined;
  const { b } = n;
  const { epsilon, momentum } = attributes;
  const { map, shift, residual } = centered(layouts, x);
  const squares = n.meanProduct(map, map); // [C]
  const variance = residual
    ? b.op('Relu', [b.op('Sub', [squares, b.op('Mul', [residual, residual])])]) // rounding must not make it negative
    : squares;
  const inverse = b.op('Reciprocal', [b.op('Sqrt', [b.op('Add', [variance, b.number(epsilon)])])]);
  const scale = b.op('Mul', [layouts.plain(gamma), inverse]);
  const bias = residual ? b.op('Sub', [layouts.plain(beta), b.op('Mul', [scale, residual])]) : layouts.plain(beta);
  const mean = residual ? b.op('Add', [shift, residual]) : shift;
  const count = perChannel(x);
  const [, nextMean, nextVariance] = node.outputs as [Value, Value, Value];
  layouts.statistics.push(
    { next: nextMean, old: runningMean, now: mean, momentum, factor: 1 },
    { next: nextVariance, old: runningVariance, now: variance, momentum, factor: count / (count - 1) },
  );
  return [{ affine: { map, scale, bias } }, {}, {}, { plain: mean }, { plain: inverse }];
};

/** The map minus its mean: through a convolution's bias if there was one to use, otherwise in a separate pass. */
function centered(layouts: Representations, x: Value): Centered {
  const known = layouts.centered(x);
  if (known) return known;
  const map = layouts.blocked(x);
  const shift = layouts.mean(map);
  const made = { map: layouts.nodes.affine(map, undefined, { bias: layouts.nodes.b.op('Neg', [shift]) }), shift };
  layouts.set(x, { blocked: map, centered: made });
  return made;
}

export const normalizationGradient: Rule<'BatchNormGrad'> = ({ layouts, n, inputs, isOnlyReader }) => {
  const [dy, x, gamma, , inverseValue] = inputs as [Value, Value, Value, Value, Value];
  const of = layouts.isBlockable(x) && layouts.isBlocked(x) ? layouts.centered(x) : undefined;
  if (!of) return undefined;
  const { b } = n;
  const dz = layouts.blocked(dy);
  const inverse = layouts.plain(inverseValue);
  const [meanOfDz, product] = [layouts.mean(dz), n.meanProduct(of.map, dz)]; // dβ/n, Σ dy·map / n
  const centeredProduct = of.residual ? b.op('Sub', [product, b.op('Mul', [of.residual, meanOfDz])]) : product;
  const dgamma = b.op('Mul', [inverse, centeredProduct]); // dγ/n
  const along = b.op('Neg', [b.op('Mul', [inverse, dgamma])]);
  const bias = of.residual ? b.op('Add', [meanOfDz, b.op('Mul', [along, of.residual])]) : meanOfDz;
  const pass = { map: of.map, along, bias: b.op('Neg', [bias]), dz, isLast: isOnlyReader(dy) };
  const scale = b.op('Mul', [layouts.plain(gamma), inverse]); // s
  const count = b.number(perChannel(x));
  return [
    inputGradient(layouts, pass, scale, isWorthPending(x)),
    { plain: b.op('Mul', [dgamma, count]) },
    { plain: b.op('Mul', [meanOfDz, count]) },
  ];
};

interface Pass {
  readonly map: Value;
  readonly along: Value;
  readonly bias: Value;
  readonly dz: Value;
  /** Whether this is the last read of dz. */
  readonly isLast: boolean;
}

/** dx = scale · (dz + along · map + bias), with the scale pending or applied in a pass over dz. */
function inputGradient({ nodes: n }: Representations, pass: Pass, scale: Value, pending: boolean): Representation {
  const { map, along, bias, dz, isLast } = pass;
  if (pending) {
    const affine = { map, scale: along, bias, plus: dz, keepsPlus: !isLast };
    return { affine: { map: compute(n, affine), scale } };
  }
  const scaled = (vector: Value): Value => n.b.op('Mul', [scale, vector]);
  return { blocked: compute(n, { map, scale: scaled(along), bias: scaled(bias), plus: n.affine(dz, scale) }) };
}

/** Whether scaling the weights twice, in the filter and in their gradient, is cheaper than a pass over the map. */
function isWorthPending(x: Value): boolean {
  const weight = x.producer?.inputs[1];
  return perChannel(x) >= (weight?.dims?.length === 4 ? 2 * elements(sizes(weight).slice(1)) : 0);
}
