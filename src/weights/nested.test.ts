import { describe, expect, test } from 'vitest';
import { chooseWeights } from './nested.ts';
import { Inert, Tuple } from './pickle.ts';
import { bytesSource } from './source.ts';
import type { StateDictOptions } from './state-dict.ts';
import { Storage, TensorView } from './torch-tensors.ts';

const storage = new Storage('float32', 2);
storage.place = bytesSource(new Uint8Array(8));
const weights = new Map([['fc.bias', new TensorView(storage, 0, [2], [1], 'weights.pth')]]);
const choose = (object: unknown, options?: StateDictOptions) =>
  chooseWeights({ object, unknown: new Set(), size: 8 }, 'weights.pth', options);
const around = (...entries: readonly (readonly [string, unknown])[]) =>
  choose(new Map<string, unknown>([['state_dict', weights], ...entries]));

test.each<[string, string, unknown]>([
  ['indices by name', 'class_to_idx', new Map([['dog', 1], ['cat', 0]])], // biome-ignore format: a line a case
  ['names by index', 'idx_to_class', new Map([[1, 'dog'], [0, 'cat']])], // biome-ignore format: a line a case
  ['names by index as text', 'id2label', new Map([['1', 'dog'], ['0', 'cat']])], // biome-ignore format: a line a case
  ['a list', 'classes', ['cat', 'dog']],
  ['a tuple', 'class_names', new Tuple(['cat', 'dog'])],
  ['another way to write the key', 'classNames', ['cat', 'dog']],
])('class names are read from %s', (_, key, value) => {
  expect(around([key, value]).classes).toEqual([{ key, names: ['cat', 'dog'] }]);
});

test('class names are read at any depth, in dicts and lists', () => {
  const data = new Map([['val', [new Map([['CLASSES', new Tuple(['cat', 'dog'])]])]]]);
  expect(around(['meta', new Map([['data', data]])]).classes).toEqual([
    { key: 'meta.data.val.0.CLASSES', names: ['cat', 'dog'] },
  ]);
});

test.each<[string, unknown]>([
  ['class_to_idx', new Map([['dog', 2], ['cat', 0]])], // biome-ignore format: a line a case
  ['classes', ['cat', 1]],
  ['classes', new Inert('numpy.ndarray')],
])('%s that are no list of names are ignored with a note: %j', (key, value) => {
  const { classes, notes } = around([key, value]);
  expect(classes).toEqual([]);
  expect(notes.at(-1)).toBe(
    `The class names under "${key}" cannot be read: expected a list of names, or a dict from names to the numbers 0, 1, … or back.`,
  );
});

test.each<[string, unknown]>([
  ['classes', 10],
  ['labels', [3, 1, 2]],
  ['labels', []],
  ['names', null],
])('%s is not about names: %j', (key, value) => {
  const { classes, notes } = around([key, value]);
  expect({ classes, notes }).toEqual({ classes: [], notes: [expect.stringContaining('Using the weights under')] });
});

const dict = (...entries: readonly (readonly [unknown, unknown])[]) => new Map<unknown, unknown>(entries);
const under = (object: unknown, options?: StateDictOptions) =>
  /under (.*?)[;.]/.exec(choose(object, options).notes[0]!)![1];

describe('of several dicts of tensors', () => {
  test.each<[string, readonly string[]]>([
    ['model_ema', ['model', 'model_ema', 'best_state_dict']],
    ['netEMA', ['netEMA', 'net']],
    ['avg_model', ['teacher', 'avg_model']],
    ['teacher', ['student', 'teacher']],
    ['best_model', ['last_model', 'best_model', 'optimizer']],
    ['state_dict', ['model', 'state_dict', 'swa_optimizer']],
    ['net_state_dict', ['optimizer_state', 'net_state_dict']],
  ])('%s is preferred in %j', (chosen, keys) => {
    expect(under(dict(...keys.map((key) => [key, dict(...weights)] as const)))).toBe(`"${chosen}"`);
  });

  test('those of a network come first', () => {
    const isNetwork: StateDictOptions['isNetwork'] = (tensors) => tensors.has('conv');
    const network = dict(['conv', weights.get('fc.bias')]);
    expect(under(dict(['ema', weights], ['a', [dict(['deep', network])]]), { isNetwork })).toBe('"a", "0", "deep"');
    const { notes } = choose(dict(['one', network], ['two', dict(...network)]), { isNetwork });
    expect(notes).toContain('Other networks are under "two"; choose one with key (--key).');
  });

  test('a key chooses, whole or in part, also into names', () => {
    const object = dict(
      ['a', dict(['ema', weights], ['b', dict(...weights)])],
      ['c', dict(['x.y.fc', weights.get('fc.bias')])],
    );
    expect(under(object, { key: 'a.b' })).toBe('"a", "b"');
    expect(under(object, { key: 'b' })).toBe('"a", "b"');
    expect(under(object, { key: 'a' })).toBe('"a", "ema"');
    expect([...choose(object, { key: 'c.x' }).tensors.keys()]).toEqual(['x.y.fc']);
    expect(() => choose(object, { key: 'd' })).toThrow(
      'weights.pth has no tensors under the key "d", but has them under "a.ema", "c", "a.b". Choose another key, or leave it out.',
    );
  });
});

test('a tensor that has several names counts once, but only so often', () => {
  const view = weights.get('fc.bias')!;
  const names = (count: number) => dict(...Array.from({ length: count }, (_, i) => [`w${i}`, view] as const));
  expect(choose(names(8)).tensors.size).toBe(8);
  expect(() => choose(names(9))).toThrow('its tensors take 72: they repeat its data');
});
