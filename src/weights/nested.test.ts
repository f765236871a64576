import { expect, test } from 'vitest';
import { chooseWeights } from './nested.ts';
import { Tuple } from './pickle.ts';
import { bytesSource } from './source.ts';
import { Storage, TensorView } from './torch-tensors.ts';

const storage = new Storage('float32', 2);
storage.place = bytesSource(new Uint8Array(8));
const weights = new Map([['fc.bias', new TensorView(storage, 0, [2], [1], 'weights.pth')]]);
const classesIn = (around: readonly (readonly [string, unknown])[]) =>
  chooseWeights(new Map<string, unknown>([['state_dict', weights], ...around]), 8, 'weights.pth').classes;

test.each<[string, string, unknown]>([
  ['indices by name', 'class_to_idx', new Map([['dog', 1], ['cat', 0]])], // biome-ignore format: a line a case
  ['names by index', 'idx_to_class', new Map([[1, 'dog'], [0, 'cat']])], // biome-ignore format: a line a case
  ['a list', 'classes', ['cat', 'dog']],
  ['a tuple', 'class_names', new Tuple(['cat', 'dog'])],
  ['mmpretrain’s dict', 'meta', new Map([['CLASSES', new Tuple(['cat', 'dog'])]])],
])('class names are read from %s', (_, key, value) => {
  expect(classesIn([[key, value]])).toEqual(['cat', 'dog']);
});

test.each<[string, unknown]>([
  ['class_to_idx', new Map([['dog', 2], ['cat', 0]])], // biome-ignore format: a line a case
  ['classes', 10],
  ['classes', ['cat', 1]],
  ['labels', []],
])('%s is not a list of names: %j', (key, value) => {
  expect(classesIn([[key, value]])).toBeUndefined();
});
