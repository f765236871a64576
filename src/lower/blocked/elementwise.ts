/** ReLU, its gradient, additions and averages of blocked maps, merged into the previous pass if one is pending. */
import type { Node, Value } from '../../graph/graph.ts';
import { sizes } from '../../graph/shapes.ts';
import { largestFloat32 } from '../standard.ts';
import { compute } from './representations.ts';
import type { Rule, Site } from './rules.ts';

const isWorth = ({ layouts, inputs }: Pick<Site<'Relu'>, 'layouts' | 'inputs'>): boolean =>
  inputs.every((x) => layouts.isBlockable(x)) && inputs.some((x) => layouts.isBlocked(x));

/** A convolution without other readers applies the ReLU as it writes. */
export const relu: Rule<'Relu'> = (site) => {
  const { layouts, n, inputs, isOnlyReader } = site;
  if (!isWorth(site)) return undefined;
  const affine = layouts.affine(inputs[0]!);
  if (!affine.scale && !affine.bias && !affine.plus) {
    const { producer } = affine.map;
    if (!isOnlyReader(inputs[0]!) || !isBareConvolution(producer)) return [{ blocked: n.b.op('Relu', [affine.map]) }];
    producer.attributes.set('activation', { kind: 'string', value: 'Relu' });
    return [{ blocked: affine.map }];
  }
  const blocked = compute(n, affine, true);
  return [affine.plus ? { blocked } : { blocked, rectified: affine }];
};

/** dy where y > 0, as a product with a mask of ones and zeros. */
export const reluGradient: Rule<'ReluGrad'> = (site) => {
  const { layouts, n, inputs } = site;
  if (!isWorth(site)) return undefined;
  const [dy, y] = inputs as [Value, Value];
  const mask = n.b.op('HardSigmoid', [layouts.recomputed(y)], { alpha: largestFloat32, beta: 0 });
  return [{ blocked: n.b.op('Mul', [layouts.blocked(dy), mask]) }];
};

/** A convolution that can still take an activation. */
const isBareConvolution = (node: Node | undefined): node is Node =>
  node?.op === 'Conv' && !node.attributes.has('activation');

/**
 * A pending affine stays pending, with the other operand added to it; a convolution adds the other operand as it
 * writes.
 */
export const addition: Rule<'Add'> = (site) => {
  const { layouts, n, inputs, isOnlyReader } = site;
  const [left, right] = inputs as [Value, Value];
  if (!isWorth(site) || left === right || sizes(left).join() !== sizes(right).join()) return undefined;
  const orders = [
    [left, right],
    [right, left],
  ] as const;
  for (const [x, other] of orders) {
    const affine = layouts.affine(x);
    const isPending = (affine.scale || affine.bias) && !affine.plus;
    if (isPending && isOnlyReader(x)) {
      return [{ affine: { ...affine, plus: layouts.blocked(other), keepsPlus: !isOnlyReader(other) } }];
    }
  }
  for (const [x, other] of orders) {
    const { producer } = layouts.blocked(x);
    if (isBareConvolution(producer) && producer.inputs.length < 4 && isOnlyReader(x)) {
      while (producer.inputs.length < 3) producer.inputs.push(undefined);
      n.b.graph.setInput(producer, 3, layouts.blocked(other));
      return [{ blocked: producer.outputs[0]! }];
    }
  }
  return [{ blocked: n.b.op('Add', [layouts.blocked(left), layouts.blocked(right)]) }];
};

/**
 * A map times one number per image, as drop path does: it stays pending, as a scale per image and channel, so that the
 * addition of the shortcut joins the same pass.
 */
export const product: Rule<'Mul'> = ({ layouts, n, inputs }) => {
  const [left, right] = inputs as [Value, Value];
  const [x, factor] = isPerImage(left, right) ? [left, right] : [right, left];
  if (!isPerImage(x, factor) || !layouts.isBlockable(x) || !layouts.isBlocked(x)) return undefined;
  const { plus, ...pending } = layouts.affine(x);
  const { map, scale, bias } = plus ? { map: layouts.blocked(x) } : pending;
  const [images, channels] = sizes(x) as [number, number];
  const factors = n.reshape(layouts.plain(factor), [images, 1]);
  const perImage = (vector: Value): Value => {
    const rows = n.reshape(vector, [sizes(vector)[0]! / channels, channels]); // [1, C] or [N, C]
    return n.reshape(n.b.op('Mul', [rows, factors]), [images * channels]);
  };
  const spread = perImage(scale ?? n.b.number(1, [channels]));
  return [{ affine: { map, scale: spread, bias: bias && perImage(bias) } }];
};

/** Whether `factor` is [N, 1, 1, 1] for x [N, C, H, W]. */
const isPerImage = (x: Value, factor: Value): boolean =>
  x.dims?.length === 4 && factor.dims?.join() === [x.dims[0], 1, 1, 1].join() && x.dims[1] !== 1;

/** One number per map, which is stored the same way in both layouts. */
export const globalAverage: Rule<'GlobalAveragePool'> = ({ layouts, n, inputs: [x] }) =>
  layouts.isBlockable(x!) && layouts.isBlocked(x!) ? [{ plain: n.globalAveragePool(layouts.blocked(x!)) }] : undefined;

/** Uses LogSoftmax, for which the CPU provider has a kernel; not every provider does. */
export const softmaxCrossEntropy: Rule<'SoftmaxCrossEntropy'> = ({ layouts, n: { b }, inputs: [logits, targets] }) => {
  const log = b.op('LogSoftmax', [layouts.plain(logits!)], { axis: 1 });
  const total = b.op('ReduceSum', [b.op('Mul', [log, layouts.plain(targets!)])], { keepdims: 0 });
  return [{ plain: b.op('Mul', [total, b.number(-1 / sizes(logits!)[0]!)]) }];
};
