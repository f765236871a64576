/** What is suggested for names that do not exist. */
import { expect, it } from 'vitest';
import { meantName } from './closest-name.ts';

const flags = [
  'model',
  'labels',
  'top',
  'threshold',
  'batch',
  'size',
  'resize',
  'learning-rate',
  'lr',
  'linear-probe',
  'epochs',
];

it.each([
  ['modle', 'model'],
  ['Model', 'model'],
  ['mdoel', 'model'],
  ['modell', 'model'],
  ['model_path', 'model'],
  ['lables', 'labels'],
  ['topk', 'top'],
  ['top5', 'top'],
  ['batch-size', 'batch'],
  ['learning_rate', 'learning-rate'],
  ['learningRate', 'learning-rate'],
  ['lerning-rate', 'learning-rate'],
  ['linearprobe', 'linear-probe'],
  ['num-epochs', 'epochs'],
  ['epoch', 'epochs'],
])('--%s: --%s', (typed, meant) => expect(meantName(typed, flags)).toBe(meant));

it.each(['device', 'data', 'dir', 'file', 'x', '', '--', 'pretrained', 'z'.repeat(101)])('--%s: nothing', (typed) =>
  expect(meantName(typed, flags)).toBeUndefined(),
);

it.each([
  ['flower', ['flowers', 'roses'], 'flowers'],
  ['run2', ['run1', 'run3', 'run2b'], 'run2b'],
  ['resnet50', ['senet154', 'resnext50_32x4d', 'resnext101_32x8d'], 'resnext50_32x4d'],
  ['resnet18', ['senet154', 'resnext11_8x16d', 'resnext50_32x4d'], undefined],
])('%s among %s: %s', (typed, known, meant) => expect(meantName(typed, known)).toBe(meant));
