/**
 * Batch normalization with fixed statistics is affine per channel, and can be folded into the convolution before it:
 *
 *   s·((w ⋆ x + b) − μ)/√(σ² + ε) + β  =  (w·k) ⋆ x + ((b − μ)·k + β)      with k = s/√(σ² + ε), one number per filter
 *
 * For inference only. Computed in float64, rounded once.
 */
import { describe, type Graph, type Node } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { allocate, derivedTensor, fromNumbers, isLazy, type Tensor } from '../tensor.ts';
import { isTraining } from './branches.ts';
import { cannotCompute, constantAt, givenAttributes, rounded, toFloat64 } from './constants.ts';
import { biasName } from './names.ts';
import type { Refusal, Rule } from './rewriter.ts';

export const foldBatchNorm: Rule = {
  name: 'batch normalization into its convolution',
  apply(b, node) {
    const convolution = node.inputs[0]?.producer;
    if (opTypeOf(node) !== 'BatchNormalization' || !convolution || opTypeOf(convolution) !== 'Conv') return undefined;
    const [y] = convolution.outputs;
    if (isTraining(node)) return { refused: `${describe(node)} is in training mode.` };
    if (y!.users.size > 1 || b.graph.outputs.includes(y!)) {
      return { refused: `the output of ${describe(convolution)} is also used elsewhere.` };
    }
    const folded = fold(b.graph, convolution, node);
    if ('refused' in folded) return folded;
    const [x, w, bias] = convolution.inputs;
    const inputs = [
      b.parameter(w!.name, folded.weight.dims, folded.weight),
      b.parameter(bias?.name ?? biasName(w!.name), folded.bias.dims, folded.bias),
    ];
    const attributes = givenAttributes(convolution, 'Conv');
    const merged = b.op('Conv', [x, ...inputs], attributes, convolution.name || undefined);
    b.graph.replaceAllUses(node.outputs[0]!, merged);
    return { done: `folded ${describe(node)} into ${describe(convolution)}.` };
  },
};

/**
 * Folds a normalization whose result is only added to something. Doing this first leaves a sum of convolutions, which
 * can be merged into one; so form A is also found when each branch ends with its own normalization.
 */
export const foldBeforeSum: Rule = {
  name: foldBatchNorm.name,
  apply(b, node) {
    const [user, ...others] = node.outputs[0]!.users;
    const op = user && opTypeOf(user);
    if (others.length > 0 || (op !== 'Add' && op !== 'Sum')) return undefined;
    const outcome = foldBatchNorm.apply(b, node);
    return outcome && 'done' in outcome ? outcome : undefined; // foldBatchNorm runs later and reports the refusals
  },
};

function fold(graph: Graph, convolution: Node, node: Node): { weight: Tensor; bias: Tensor } | Refusal {
  const weight = constantAt(graph, convolution, 1);
  if ('refused' in weight) return weight;
  const vectors: Tensor[] = [];
  for (const [reader, index] of [...[1, 2, 3, 4].map((i) => [node, i] as const), [convolution, 2] as const]) {
    if (reader === convolution && !convolution.inputs[2]) continue;
    const contents = constantAt(graph, reader, index);
    if ('refused' in contents) return contents;
    vectors.push(contents);
  }
  const { epsilon } = attributesOf(node, 'BatchNormalization');
  return cannotCompute(weight, convolution) ?? scaled(weight, vectors, epsilon);
}

function scaled(weight: Tensor, vectors: readonly Tensor[], epsilon: number): { weight: Tensor; bias: Tensor } {
  const [scale, shift, mean, variance, bias] = vectors.map(toFloat64);
  const factors = scale!.map((s, m) => s / Math.sqrt(variance![m]! + epsilon));
  const w = derivedTensor(weight as Tensor<'float32'>, weight.dims, () => scaledFilters(weight, factors));
  const b = factors.map((factor, m) => ((bias?.[m] ?? 0) - mean![m]!) * factor + shift![m]!);
  return { weight: w, bias: rounded(weight, [b.length], b) };
}

/** Each product is computed in float64 and rounded once, when it is stored. */
function scaledFilters(weight: Tensor, factors: Float64Array): Float32Array {
  const isPlain = weight.dtype === 'float32' || weight.dtype === 'float64';
  const from = (isPlain ? weight.data : toFloat64(weight)) as Float32Array;
  const to = isLazy(weight) || !isPlain ? from : (allocate(weight.dtype, from.length) as Float32Array);
  const perFilter = from.length / factors.length;
  let i = 0;
  for (const factor of factors) {
    for (const end = i + perFilter; i < end; i++) to[i] = from[i]! * factor;
  }
  return isPlain ? to : (fromNumbers(weight.dtype, weight.dims, to).data as Float32Array);
}
