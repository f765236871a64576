import { expect, it } from 'vitest';
import { counted, table, wrap } from './text.ts';

const rows = [
  ['stage', 'parameters', 'layers'],
  ['layer1', '205.8 k', '3 x [1x1 128, 3x3 128 in 32 groups, 1x1 256]'],
];

it('wraps the last column of a table that is too wide', () => {
  expect(table(rows)).toContain('32 groups, 1x1 256]');
  expect(table(rows, 46)).toBe(
    [
      'stage   parameters  layers',
      'layer1     205.8 k  3 x [1x1 128, 3x3 128 in',
      '                    32 groups, 1x1 256]',
    ].join('\n'),
  );
  expect(table(rows, 10).split('\n')[1]).toBe('layer1     205.8 k  3 x [1x1 128, 3x3'); // never narrower than 20
});

it('breaks long lines between words, without counting colors', () => {
  expect(wrap('one two three\nfour', 7)).toBe('one two\nthree\nfour');
  expect(wrap('a  wide  gap', 7)).toBe('a  wide\n gap');
  expect(wrap('https://example.org/long and', 10)).toBe('https://example.org/long\nand');
  expect(wrap('\u001b[1mone\u001b[22m two three', 7)).toBe('\u001b[1mone\u001b[22m two\nthree');
});

it.each([
  [0, '0 images'],
  [1, '1 image'],
  [2, '2 images'],
])('%i: %s', (count, words) => expect(counted(count, 'image')).toBe(words));
