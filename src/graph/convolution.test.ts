/**
 * Grouped convolution and its gradients against PyTorch: 24 convolutions with groups, strides, dilations and asymmetric
 * pads. Each runs as a graph with its gradient in the interpreter, and lowered on ONNX Runtime.
 */
import { expect, test } from 'vitest';
import { Session } from '#platform';
import { readGolden } from '../../test/golden-files.ts';
import { relativeError } from '../../test/tensors.ts';
import { gradient } from '../grad/gradient.ts';
import { lowerStandard } from '../lower/standard.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { Builder } from './builder.ts';
import type { Graph } from './graph.ts';
import { interpret } from './interpret.ts';

interface ConvolutionCase {
  readonly groups: number;
  readonly kernelShape: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly bias: boolean;
}

const golden = await readGolden('conv');
const cases = golden.metadata<ConvolutionCase[]>('cases');

/** Inputs x, w, b and dy; outputs y and the gradients dx, dw and db of the loss Σ y·dy. */
function convolutionGraph(each: ConvolutionCase, given: ReadonlyMap<string, Tensor>): Graph {
  const b = new Builder('convolution');
  const [dy, ...inputs] = ['dy', 'x', 'w', ...(each.bias ? ['b'] : [])].map((name) => {
    return b.input(name, given.get(name)!.dims);
  });
  const { groups: group, kernelShape: kernel_shape, strides, pads, dilations } = each;
  const y = b.output(b.op('Conv', inputs, { group, kernel_shape, strides, pads, dilations }), 'y');
  const loss = b.op('ReduceSum', [b.op('Mul', [y, dy])], { keepdims: 0 });
  gradient(b.graph, loss, inputs).forEach((dx, i) => {
    b.output(dx, `d${inputs[i]!.name}`);
  });
  return b.graph;
}

const float32 = ({ dims, data }: Tensor): Tensor => tensor('float32', dims, Float32Array.from(data as Float64Array));

test.each(cases.map((each, i) => ({ ...each, i })))(
  'convolution $i: $groups groups, kernel $kernelShape',
  async (each) => {
    const given = golden.under(`${each.i}.`);
    const graph = convolutionGraph(each, given);
    const feeds = new Map(graph.inputs.map(({ name }) => [name, given.get(name)!]));
    const results = interpret(graph, feeds);
    expect(results.size).toBe(each.bias ? 4 : 3);
    for (const [name, result] of results) {
      expect(result.dims, name).toEqual(given.get(name)!.dims);
      expect(relativeError(result, given.get(name)!), name).toBeLessThan(1e-12);
    }
    const session = await Session.open(lowerStandard(graph), { threads: 1 });
    for (const [name, result] of await session.run(new Map([...feeds].map(([key, value]) => [key, float32(value)])))) {
      expect(result.dims, name).toEqual(given.get(name)!.dims);
      expect(relativeError(result, given.get(name)!), name).toBeLessThan(1e-5);
    }
    await session.dispose();
  },
);
