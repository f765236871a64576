import { expect, it } from 'vitest';
import { byEnding, checkPageFile } from './endings.ts';

const table = { '.npy': 1, '.jsonl': 2, '': 3 };
const find = (file: string) => byEnding(file, table, 'Rename it.');

it('finds the entry of an ending, in capitals too, and of a name without one', () => {
  expect(['a.npy', 'a.NPY', 'a.b/c.JsonL', 'a.b/c'].map(find)).toEqual([1, 1, 2, 3]);
});

it.each(['a.csv', 'a.npy.gz', 'a.constructor'])('refuses the ending of %s, with what to do', (file) => {
  const ending = file.slice(file.lastIndexOf('.'));
  expect(() => find(file)).toThrow(`"${file}" ends in "${ending}", but expected .npy or .jsonl. Rename it.`);
});

it('refuses a name without an ending where one is needed', () => {
  expect(() => byEnding('a', { '.csv': 1 }, 'Rename it.')).toThrow('"a" has no ending, but expected .csv. Rename it.');
});

it('a report has the ending of a page, or none', () => {
  for (const file of ['a.html', 'b/a.HTM', '/dev/stdout']) checkPageFile(file);
  expect(() => checkPageFile('cat.jpg')).toThrow(
    '"cat.jpg" ends in ".jpg", but expected .html or .htm. A report is an HTML page.',
  );
});
