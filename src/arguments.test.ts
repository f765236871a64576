/** What a program in JavaScript can pass wrongly, and the sentence that it gets. */
import { expect, it } from 'vitest';
import { checkArgument, checkList, checkOptions, kind, map, path } from './arguments.ts';
import { UsageError } from './errors.ts';
import { flag, list, real, text, whole } from './options.ts';

const table = {
  top: whole({ from: 1, doc: 'classes' }),
  batchSize: whole({ from: 1, doc: 'images' }),
  learningRate: real({ above: 0, flag: '--lr, --learning-rate <rate>', doc: 'rate' }),
  strict: flag({ doc: 'strict' }),
  labels: list(text({ expected: 'a name', doc: 'a class' }), { doc: 'class names' }),
};

it.each<[unknown, string]>([
  [{ topK: 1 }, 'There is no option "topK". Did you mean top?'],
  [{ batch_size: 1 }, 'There is no option "batch_size". Did you mean batchSize?'],
  [{ batch: 1 }, 'There is no option "batch". Did you mean batchSize?'],
  [{ lr: 1 }, 'There is no option "lr". Did you mean learningRate?'],
  [{ device: 'gpu' }, 'There is no option "device". The options are top, batchSize, learningRate, strict, labels.'],
  [{ top: '3' }, 'top is "3", but expected a whole number of at least 1.'],
  [{ top: null }, 'top is null, but expected a whole number of at least 1.'],
  [{ strict: 1 }, 'strict is 1, but expected true or false.'],
  [{ labels: 'cat' }, 'labels is "cat", but expected a list of names.'],
  [{ top: [1n] }, 'top is an array, but expected a whole number'],
  [5, 'The options are 5, but expected an object with top, batchSize, learningRate, strict, labels.'],
  [null, 'The options are null, but'],
  ['top', 'The options are "top", but'],
  [[], 'The options are [], but'],
])('options %#', (given, message) => {
  expect(() => checkOptions(table, given)).toThrow(UsageError);
  expect(() => checkOptions(table, given)).toThrow(message);
});

it.each<[unknown, string]>([
  [undefined, 'file is required: expected a path.'],
  ['', 'file is "", but expected a path.'],
  [Promise.resolve('a'), 'file is a Promise, which has to be awaited, but expected a path.'],
  [new Float32Array(2), 'file is a Float32Array of 8 bytes, but expected a path.'],
  [new Map(), 'file is a Map, but expected a path.'],
  [{ a: 'x'.repeat(1000) }, `file is {"a":"${'x'.repeat(74)}…, but expected a path.`],
  [() => {}, 'file is a function, but expected a path.'],
  [Symbol('a'), 'file is Symbol(a), but expected a path.'],
])('an argument: %#', (value, message) => {
  expect(() => checkArgument('file', value, path)).toThrow(message);
});

it('names the first wrong item of a list', () => {
  checkList('files', ['a', 'b'], path);
  expect(() => checkList('files', ['a', 5, 6], path)).toThrow('files[1] is 5, but expected a path.');
  expect(() => checkList('files', 'a', path)).toThrow('files is "a", but expected an array, with a path each.');
});

it('accepts what is right, from other realms too', () => {
  checkOptions(table, {});
  checkOptions(table, { top: 1, strict: undefined });
  checkArgument('weights', new Map(), map);
  checkArgument(
    'even',
    2,
    kind('an even number', (value) => Number(value) % 2 === 0),
  );
});
