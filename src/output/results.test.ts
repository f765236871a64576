import { expect, it } from 'vitest';
import { resultFormat } from './formats.ts';
import { printedResults } from './results.ts';

it('names the threshold as it was typed, where no class reaches it', async () => {
  const printed: string[] = [];
  const results = printedResults('text', { top: 5, threshold: 0.55 }, (text) => printed.push(text));
  results.add({ image: 'rose.jpg', predictions: [] });
  await results.end();
  expect(printed.join('')).toBe('rose.jpg\n  no class reaches 55 %\n');
});

it('prints one class on the line of its image, and names with control characters escaped', () => {
  const printed: string[] = [];
  const results = printedResults('text', { top: 1, threshold: 0 }, (text) => printed.push(text));
  results.add({ image: 'a\nb.jpg', predictions: [{ label: '\u001b[31mred\u202e', probability: 0.98765 }] });
  expect(printed.join('')).toBe('a\\u000ab.jpg  98.8 %  \\u001b[31mred\\u202e\n');
});

it.each([
  [{}, 'text'],
  [{ json: true }, 'json'],
  [{ output: 'a.csv' }, 'csv'],
  [{ output: 'a.CSV' }, 'csv'],
  [{ output: 'a.txt' }, 'text'],
  [{ output: '/dev/stdout' }, 'text'],
  [{ output: 'a.tsv', format: 'text' }, 'text'],
  [{ output: 'a.csv', format: 'jsonl' }, 'jsonl'],
  [{ json: true, format: 'json', output: 'a.csv' }, 'json'],
  [{ json: true, output: 'a.json' }, 'json'],
  [{ json: true, output: 'a' }, 'json'],
] as const)('the format of %j is %s', (options, format) => {
  expect(resultFormat(options)).toBe(format);
});

it.each([
  [{ json: true, format: 'csv' }, '--json is short for --format json, but --format is csv. Remove one of them.'],
  [{ json: true, output: 'a.csv' }, '--json is short for --format json, but "a.csv" ends in .csv. Remove --json, or'],
  [{ json: true, output: 'a.CSV' }, '--json is short for --format json, but "a.CSV" ends in .csv. Remove --json, or'],
] as const)('%j contradicts itself', (options, message) => {
  expect(() => resultFormat(options)).toThrow(message);
});

it.each(['a.tsv', 'a.parquet', 'a.csv.gz'])('refuses %s, whose ending tells no format', (output) => {
  const advice = 'Rename it, or choose the format with --format.';
  expect(() => resultFormat({ output })).toThrow(`but expected .txt, .json, .jsonl or .csv. ${advice}`);
});
