/**
 * The standard lowering of a training step uses only operators for which ONNX Runtime's WebGPU provider has a kernel, so
 * that a whole step stays on the device.
 */
import { expect, test } from 'vitest';
import { gradient } from '../src/grad/gradient.ts';
import { Builder } from '../src/graph/builder.ts';
import { interpret } from '../src/graph/interpret.ts';
import { lowerStandard } from '../src/lower/standard.ts';
import { forms } from '../src/model/config.ts';
import { resnext } from '../src/model/resnext.ts';
import { lossNames } from '../src/step/losses.ts';
import { optimizerNames, optimizerOf } from '../src/step/optimizers.ts';
import { trainingStep } from '../src/step/step.ts';
import { tensor } from '../src/tensor.ts';
import { relativeError, seeded } from './tensors.ts';
import { dilatedPools, pools } from './window-cases.ts';

/** Those that training steps need of the provider's kernels, as of ONNX Runtime 1.30. It has none for Sum and LogSoftmax. */
const kernels = [
  ...['Add', 'AveragePool', 'BatchNormalization', 'Concat', 'Conv', 'ConvTranspose', 'Div', 'Exp', 'Expand', 'Flatten'],
  ...['Gemm', 'GlobalAveragePool', 'HardSigmoid', 'Identity', 'Log', 'MatMul', 'MaxPool', 'Mul', 'Neg', 'Pad'],
  ...['Reciprocal', 'ReduceMax', 'ReduceMean', 'ReduceSum', 'Relu', 'Reshape', 'ScatterElements', 'Sigmoid', 'Slice'],
  ...['Softmax', 'Split', 'Sqrt', 'Sub', 'Transpose'],
];

const small = { depths: [1, 1], cardinality: 4, baseWidth: 8, width: 16, classes: 5, inputSize: 32 } as const;
const models = {
  'ImageNet stem': small,
  'CIFAR stem, shortcut A': { ...small, stem: 'cifar', shortcut: 'A' },
  'deep stem, average-pooled shortcut, SE': { ...small, stem: 'deep', shortcut: 'D', attention: 'se' },
} as const;

test.each(Object.keys(models) as (keyof typeof models)[])('%s', (name) => {
  const used = forms.flatMap((form) =>
    optimizerNames.flatMap((optimizerName) =>
      lossNames.flatMap((loss) => {
        const options = { batch: 2, loss, optimizer: optimizerOf(optimizerName), decayOf: () => 0.1, average: true };
        const { graph } = trainingStep(resnext({ ...models[name], form }).graph, options);
        const { nodes } = lowerStandard(graph, { poolIndices: false });
        return [...nodes].map(
          ({ op, domain, outputs }) => `${domain}${op}${op === 'MaxPool' && outputs.length > 1 ? ' with indices' : ''}`,
        );
      }),
    ),
  );
  expect([...new Set(used)].filter((op) => !kernels.includes(op))).toEqual([]);
});

test('the gradient of a max-pool is the same without indices', () => {
  const r = seeded(4);
  for (const { x, attributes } of [...pools(r), ...dilatedPools()]) {
    const b = new Builder('pool');
    const input = b.input('x', x);
    const y = b.op('MaxPool', [input], attributes);
    const c = b.constant(r.tensor(y.dims as number[]));
    const [dx] = gradient(b.graph, b.op('ReduceSum', [b.op('Mul', [y, c])], { keepdims: 0 }), [input]);
    b.output(dx!, 'dx');
    const ties = tensor('float32', x, r.tensor(x, 0, 3).data.map(Math.floor));
    for (const contents of [r.tensor(x), ties]) {
      const [expected, actual] = [true, false].map((poolIndices) => {
        return interpret(lowerStandard(b.graph, { poolIndices }), new Map([['x', contents]])).get('dx')!;
      });
      expect(actual!.dims).toEqual(expected!.dims);
      expect(relativeError(actual!, expected!), JSON.stringify({ x, attributes })).toBeLessThan(1e-12);
    }
  }
});
