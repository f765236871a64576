/**
 * Batch normalisation with fixed statistics is affine per channel, and so is part of the convolution before it:
 *
 *   s·((w ⋆ x + b) − μ)/√(σ² + ε) + β  =  (w·k) ⋆ x + ((b − μ)·k + β)      with k = s/√(σ² + ε), one number per filter
 *
 * For inference only. Computed in float64, rounded once.
 */
import { describe } from '../graph/graph.ts';
import { attributesOf } from '../graph/ops.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { layerConstant, ownConstant } from './constants.ts';
import type { Rule } from './rewriter.ts';

export const foldBatchNorm: Rule = {
  name: 'batch normalisation into its convolution',
  apply(b, node) {
    if (node.op !== 'BatchNormalization') return undefined;
    const convolution = node.inputs[0]?.producer;
    if (convolution?.op !== 'Conv') return undefined;
    if (node.outputs.length > 1 || attributesOf(node, 'BatchNormalization').training_mode === 1) {
      return { refused: `${describe(node)} is in training mode.` };
    }
    if (convolution.outputs[0]!.users.size > 1 || b.graph.outputs.includes(convolution.outputs[0]!)) {
      return { refused: `${describe(convolution)} is read by other nodes as well.` };
    }
    const constants: Tensor[] = [];
    for (const [reader, index] of [
      [convolution, 1],
      [node, 1],
      [node, 2],
      [node, 3],
      [node, 4],
    ] as const) {
      const contents = ownConstant(b.graph, reader, index);
      if ('refused' in contents) return contents;
      constants.push(contents);
    }
    const bias = convolution.inputs[2] && ownConstant(b.graph, convolution, 2);
    if (bias && 'refused' in bias) return bias;
    const { epsilon } = attributesOf(node, 'BatchNormalization');
    const folded = fold(constants as [Tensor, Tensor, Tensor, Tensor, Tensor], bias, epsilon);
    const name = b.graph.freshName(convolution.name || 'Conv');
    const own = [layerConstant(b, name, 'weight', folded.weight), layerConstant(b, name, 'bias', folded.bias)];
    const y = b.op('Conv', [convolution.inputs[0], ...own], attributesOf(convolution, 'Conv'), name);
    b.graph.replaceAllUses(node.outputs[0]!, y);
    return { done: `${describe(node)} is part of ${describe(convolution)}.` };
  },
};

function fold(
  [weight, scale, shift, mean, variance]: readonly [Tensor, Tensor, Tensor, Tensor, Tensor],
  bias: Tensor | undefined,
  epsilon: number,
): { weight: Tensor; bias: Tensor } {
  const at = (vector: Tensor, i: number) => Number(vector.data[i]);
  const factor = (m: number) => at(scale, m) / Math.sqrt(at(variance, m) + epsilon);
  const perFilter = weight.data.length / weight.dims[0]!;
  const w = Float32Array.from(weight.data as Float32Array, (value, i) => value * factor(Math.floor(i / perFilter)));
  const b = Float32Array.from({ length: weight.dims[0]! }, (_, m) => {
    return ((bias ? at(bias, m) : 0) - at(mean, m)) * factor(m) + at(shift, m);
  });
  return { weight: tensor('float32', weight.dims, w), bias: tensor('float32', [b.length], b) };
}
