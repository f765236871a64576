/** Every format in which class names are passed around gives the same list, and what does not fit is refused. */
import { describe, expect, it } from 'vitest';
import { FormatError } from '../errors.ts';
import { readLabels } from './label-file.ts';

const names = ['cat', 'dog', 'wild boar, Sus scrofa', 'Löwe'];

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function utf16(text: string, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(2 * text.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), littleEndian);
  return bytes;
}

const lines = names.join('\n');
const numbered = (separator: string) => names.map((name, k) => `${k}${separator}${name}`).join('\n');
const pairs = <V>(of: (name: string, k: number) => V) => names.map((name, k) => [`${k}`, of(name, k)] as const);
const byNumber = Object.fromEntries(pairs((name) => name));
const byName = Object.fromEntries(names.map((name, k) => [name, k]));
const backwards = pairs((name) => name).reverse();

describe('reads', () => {
  it.each<[string, Uint8Array]>([
    ['lines', utf8(lines)],
    ['lines of Windows', utf8(`${lines.replaceAll('\n', '\r\n')}\r\n\r\n`)],
    ['UTF-8 with a mark', utf8(`\ufeff${lines}`)],
    ['UTF-16, little-endian', utf16(`\ufeff${lines}`, true)],
    ['UTF-16, big-endian', utf16(`\ufeff${lines}`, false)],
    ['UTF-16 without a mark', utf16(lines, true)],
    ['UTF-16, big-endian, without a mark', utf16(lines, false)],
    ['JSON in UTF-16', utf16(`\ufeff${JSON.stringify(byNumber)}`, true)],
    ['a list', utf8(JSON.stringify(names))],
    ['id2label', utf8(JSON.stringify(byNumber))],
    ['id2label, in another order', utf8(`{${backwards.map(([k, name]) => `"${k}": "${name}"`).join(', ')}}`)],
    ['a config with id2label', utf8(JSON.stringify({ model_type: 'resnet', id2label: byNumber, label2id: byName }))],
    ['class_to_idx', utf8(JSON.stringify(byName))],
    ['a checkpoint’s class_to_idx', utf8(JSON.stringify({ class_to_idx: byName, epoch: 3 }))],
    ['Keras’s class index', utf8(JSON.stringify(Object.fromEntries(pairs((name, k) => [`n0000000${k}`, name]))))],
    ['categories', utf8(JSON.stringify({ categories: names, epoch: 3 }))],
    ['class2idx', utf8(JSON.stringify({ class2idx: byName }))],
    ['vocab', utf8(JSON.stringify({ vocab: names }))],
    ['a list of categories', utf8(JSON.stringify({ classes: names.map((name, id) => ({ id, name })) }))],
    [
      'a dict of Python',
      utf8(
        `{${pairs((name) => name)
          .map(([k, name]) => `${k}: '${name}'`)
          .join(',\n ')},}`,
      ),
    ],
    ['comma-separated values', utf8(numbered(','))],
    ['values in another order', utf8(numbered(',').split('\n').reverse().join('\n'))],
    ['quoted values below a header', utf8(`id,name\n${names.map((name, k) => `${k},"${name}"`).join('\n')}`)],
    ['names before numbers', utf8(`name,id\n${names.map((name, k) => `"${name}",${k}`).join('\n')}`)],
    ['tabs', utf8(numbered('\t'))],
    ['colons', utf8(numbered(': '))],
    ['spaces', utf8(numbered(' '))],
    ['synsets', utf8(names.map((name, k) => `n0000000${k} ${name}`).join('\n'))],
    ['numbered synsets', utf8(names.map((name, k) => `${k},n0000000${k},${name}`).join('\n'))],
  ])('%s', (_, bytes) => {
    expect(readLabels(bytes)).toEqual(names);
  });

  it('names that look like something else', () => {
    const same = (list: readonly string[]) => expect(readLabels(utf8(list.join('\n')))).toEqual(list);
    same(['0', '1', '2']);
    same(['3 series', '5 series', '7 series']);
    same(['Ford, 2012', 'Audi, 2010']);
    same(['n01440764', 'n01443537']);
    same(['dog', '7']);
    expect(readLabels(utf8('{"0": 0, "1": 1}'))).toEqual(['0', '1']);
    expect(readLabels(utf8("{0: 'jack-o\\'-lantern', 1: \"cat's eye\"}"))).toEqual(["jack-o'-lantern", "cat's eye"]);
  });
});

it.each<[Uint8Array, string]>([
  [utf8('1,a\n2,b'), 'x has 2 classes numbered from 1 to 2, but none for output 0. Number them from 0 on'],
  [utf8('0,a\n1,b\n3,d'), 'x has 3 classes numbered from 0 to 3, but none for output 2.'],
  [utf8('{"0": "a", "2": "c"}'), 'none for output 1'],
  [utf8('0,a\n1,b\n1,c'), 'x has two classes 1: "b" and "c".'],
  [utf8('{"0": "a", "0": "b"}'), 'x has several classes 0. Number each once.'],
  [utf8('{"a": 0, "b": 0}'), 'x has two classes 0: "a" and "b".'],
  [utf8('0,a\n1,b\nc'), 'x: "c" has no number, but other classes have one.'],
  [utf8('0,a\n1,'), 'x: class 1 has no name. Add it.'],
  [utf8(''), 'x is empty, but expected the name of each class.'],
  [utf8('[]'), 'x has no class names, but expected a JSON list of names, or an object like {"0": "cat"}'],
  [utf8('{"lr": 0.1}'), 'x has no class names'],
  [utf8('["a", null]'), 'x has no class names'],
  [utf8('["a"'), 'x is not JSON.'],
  [Uint8Array.of(0x4c, 0xf6, 0x77, 0x65), 'x is not text in UTF-8 or UTF-16. Save it as UTF-8.'],
  [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 0x0d), 'x is not text'],
])('what does not fit is refused: %#', (bytes, message) => {
  expect(() => readLabels(bytes, 'x')).toThrow(FormatError);
  expect(() => readLabels(bytes, 'x')).toThrow(message);
});
