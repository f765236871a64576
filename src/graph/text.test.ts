import { expect, test } from 'vitest';
import { resnext } from '../model/resnext.ts';
import { tensor } from '../tensor.ts';
import { Graph, Value } from './graph.ts';
import { nodeToText, toText } from './text.ts';

test('formats a block of form A with two branches', () => {
  const { graph } = resnext({
    depths: [1],
    cardinality: 2,
    baseWidth: 16,
    width: 4,
    stem: 'cifar',
    shortcut: 'A',
    form: 'A',
    classes: 0,
    inputSize: 8,
  });
  expect(toText(graph)).toMatchInlineSnapshot(`
    "resnext (float32[N,3,8,8] input) => (float32[N,16] features)
    <
      float32[4,3,3,3] conv1.weight,
      float32[4] bn1.weight,
      float32[4] bn1.bias,
      float32[4] bn1.running_mean,
      float32[4] bn1.running_var,
      float32[1,4,1,1] layer1.0.branches.0.conv1.weight,
      float32[1] layer1.0.branches.0.bn1.weight,
      float32[1] layer1.0.branches.0.bn1.bias,
      float32[1] layer1.0.branches.0.bn1.running_mean,
      float32[1] layer1.0.branches.0.bn1.running_var,
      float32[1,1,3,3] layer1.0.branches.0.conv2.weight,
      float32[1] layer1.0.branches.0.bn2.weight,
      float32[1] layer1.0.branches.0.bn2.bias,
      float32[1] layer1.0.branches.0.bn2.running_mean,
      float32[1] layer1.0.branches.0.bn2.running_var,
      float32[16,1,1,1] layer1.0.branches.0.conv3.weight,
      float32[1,4,1,1] layer1.0.branches.1.conv1.weight,
      float32[1] layer1.0.branches.1.bn1.weight,
      float32[1] layer1.0.branches.1.bn1.bias,
      float32[1] layer1.0.branches.1.bn1.running_mean,
      float32[1] layer1.0.branches.1.bn1.running_var,
      float32[1,1,3,3] layer1.0.branches.1.conv2.weight,
      float32[1] layer1.0.branches.1.bn2.weight,
      float32[1] layer1.0.branches.1.bn2.bias,
      float32[1] layer1.0.branches.1.bn2.running_mean,
      float32[1] layer1.0.branches.1.bn2.running_var,
      float32[16,1,1,1] layer1.0.branches.1.conv3.weight,
      float32[16] layer1.0.bn3.weight,
      float32[16] layer1.0.bn3.bias,
      float32[16] layer1.0.bn3.running_mean,
      float32[16] layer1.0.bn3.running_var,
      int64[8] ints_1
    >
    {
      conv1.output = Conv <group = 1, kernel_shape = [3, 3], strides = [1, 1], dilations = [1, 1], pads = [1, 1, 1, 1]> (input, conv1.weight)
      bn1.output = BatchNormalization <epsilon = 0.00001> (conv1.output, bn1.weight, bn1.bias, bn1.running_mean, bn1.running_var)
      relu.output = Relu (bn1.output)
      layer1.0.branches.0.conv1.output = Conv <group = 1, kernel_shape = [1, 1], strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0]> (relu.output, layer1.0.branches.0.conv1.weight)
      layer1.0.branches.0.bn1.output = BatchNormalization <epsilon = 0.00001> (layer1.0.branches.0.conv1.output, layer1.0.branches.0.bn1.weight, layer1.0.branches.0.bn1.bias, layer1.0.branches.0.bn1.running_mean, layer1.0.branches.0.bn1.running_var)
      layer1.0.branches.0.relu1.output = Relu (layer1.0.branches.0.bn1.output)
      layer1.0.branches.0.conv2.output = Conv <group = 1, kernel_shape = [3, 3], strides = [1, 1], dilations = [1, 1], pads = [1, 1, 1, 1]> (layer1.0.branches.0.relu1.output, layer1.0.branches.0.conv2.weight)
      layer1.0.branches.0.bn2.output = BatchNormalization <epsilon = 0.00001> (layer1.0.branches.0.conv2.output, layer1.0.branches.0.bn2.weight, layer1.0.branches.0.bn2.bias, layer1.0.branches.0.bn2.running_mean, layer1.0.branches.0.bn2.running_var)
      layer1.0.branches.0.relu2.output = Relu (layer1.0.branches.0.bn2.output)
      layer1.0.branches.0.conv3.output = Conv <group = 1, kernel_shape = [1, 1], strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0]> (layer1.0.branches.0.relu2.output, layer1.0.branches.0.conv3.weight)
      layer1.0.branches.1.conv1.output = Conv <group = 1, kernel_shape = [1, 1], strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0]> (relu.output, layer1.0.branches.1.conv1.weight)
      layer1.0.branches.1.bn1.output = BatchNormalization <epsilon = 0.00001> (layer1.0.branches.1.conv1.output, layer1.0.branches.1.bn1.weight, layer1.0.branches.1.bn1.bias, layer1.0.branches.1.bn1.running_mean, layer1.0.branches.1.bn1.running_var)
      layer1.0.branches.1.relu1.output = Relu (layer1.0.branches.1.bn1.output)
      layer1.0.branches.1.conv2.output = Conv <group = 1, kernel_shape = [3, 3], strides = [1, 1], dilations = [1, 1], pads = [1, 1, 1, 1]> (layer1.0.branches.1.relu1.output, layer1.0.branches.1.conv2.weight)
      layer1.0.branches.1.bn2.output = BatchNormalization <epsilon = 0.00001> (layer1.0.branches.1.conv2.output, layer1.0.branches.1.bn2.weight, layer1.0.branches.1.bn2.bias, layer1.0.branches.1.bn2.running_mean, layer1.0.branches.1.bn2.running_var)
      layer1.0.branches.1.relu2.output = Relu (layer1.0.branches.1.bn2.output)
      layer1.0.branches.1.conv3.output = Conv <group = 1, kernel_shape = [1, 1], strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0]> (layer1.0.branches.1.relu2.output, layer1.0.branches.1.conv3.weight)
      layer1.0.sum.output = Sum (layer1.0.branches.0.conv3.output, layer1.0.branches.1.conv3.output)
      layer1.0.bn3.output = BatchNormalization <epsilon = 0.00001> (layer1.0.sum.output, layer1.0.bn3.weight, layer1.0.bn3.bias, layer1.0.bn3.running_mean, layer1.0.bn3.running_var)
      layer1.0.downsample.pad.output = Pad (relu.output, ints_1)
      layer1.0.add.output = Add (layer1.0.bn3.output, layer1.0.downsample.pad.output)
      layer1.0.relu3.output = Relu (layer1.0.add.output)
      avgpool.output = GlobalAveragePool (layer1.0.relu3.output)
      features = Flatten <axis = 1> (avgpool.output)
    }
    "
  `);
});

test('formats attributes of every kind, an absent input and an operator of another domain', () => {
  const graph = new Graph('kinds');
  const node = graph.add({
    op: 'Mystery',
    domain: 'elsewhere',
    inputs: [new Value('a'), undefined, new Value('b')],
    outputs: [new Value('y'), new Value('z')],
    attributes: new Map([
      ['number', { kind: 'float', value: 0.5 }],
      ['list', { kind: 'ints', value: [1, 2] }],
      ['text', { kind: 'string', value: 'say "x"' }],
      ['texts', { kind: 'strings', value: ['p', 'q'] }],
      ['constant', { kind: 'tensor', value: tensor('float32', [2, 3]) }],
      ['body', { kind: 'opaque', value: {} }],
    ]),
  });
  expect(nodeToText(node)).toMatchInlineSnapshot(
    `"y, z = elsewhere.Mystery <number = 0.5, list = [1, 2], text = "say \\"x\\"", texts = ["p", "q"], constant = float32[2,3], body = …> (a, , b)"`,
  );
});
