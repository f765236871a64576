import { expect, it } from 'vitest';
import type { Evaluation } from '../classifier/evaluation.ts';
import { Confusion } from '../metrics/confusion.ts';
import { chooseMistakes, evaluationReport, type Mistake } from './evaluation.ts';

function evaluation(labels: readonly string[], counts: readonly (readonly number[])[]): Evaluation {
  const confusion = new Confusion(labels.length);
  for (const [t, row] of counts.entries()) {
    for (const [p, count] of row.entries()) for (let i = 0; i < count; i++) confusion.add(t, p);
  }
  const figures = { images: 10, top1: 70, top5: 100, loss: 0.5, classes: {} };
  return { ...figures, ...confusion.means(), scores: confusion.scores(labels), confusion: confusion.rows };
}

const result = evaluation(
  ['a', '<b>', 'c'],
  [
    [4, 2, 0],
    [0, 3, 1],
    [0, 0, 0],
  ],
);
const mistake = (path: string, label: number, predicted: number, probability: number): Mistake => ({
  ...{ path, label, predicted, probability },
});

it('picks the images with the highest probability from the most confused pairs', () => {
  const some = [mistake('1', 1, 2, 0.9), mistake('2', 0, 1, 0.5), mistake('3', 0, 1, 0.7)];
  expect(chooseMistakes(result, some).map(({ path }) => path)).toEqual(['3', '2', '1']);
  const many = Array.from({ length: 20 }, (_, i) => mistake(`${i}`, 0, 1, i / 20));
  expect(chooseMistakes(result, many).map(({ path }) => path)).toEqual(['19', '18', '17', '16', '15', '14']);
});

it('has the figures, the matrix, the pairs and the classes on one page', () => {
  const shown = [{ ...mistake('x/"1".png', 0, 1, 0.7), thumbnail: 'data:image/jpeg;base64,AAAA' }];
  const html = evaluationReport(result, { model: 'm', folder: 'd', notes: ['ten crops'], mistakes: shown });
  expect(html).toContain('<dt>top-1</dt><dd>70.00 %</dd>');
  expect(html).toContain('<dt>balanced accuracy</dt><dd>70.83 %</dd>'); // (4/6 + 3/4) / 2
  expect(html).toContain('<dt>macro F1</dt><dd>48.89 %</dd>'); // (8/10 + 6/9 + 0) / 3
  expect(html).not.toContain('top-5'); // meaningless with three classes
  expect(html).toContain('<p class="about">ten crops</p>');
  expect(html).toContain('<title>a: 2 of 6 predicted as &lt;b></title>');
  expect(html).toContain('<title>&lt;b>: 3 of 4 correct</title>');
  expect(html.match(/<rect class="(correct|wrong)"/g)).toHaveLength(4);
  expect(html).toContain('<b>a</b> predicted as <b>&lt;b></b>: 2 of 6');
  expect(html).toContain('<img src="data:image/jpeg;base64,AAAA" alt="x/&quot;1&quot;.png"');
  expect(html).not.toContain('<b></b>');
  expect(html).not.toMatch(/(src|href)="(?!data:)/);
  expect(html).toContain('Weakest first, without the one class that had no images.');
  expect([...html.matchAll(/<tr><td>([^<]*)</g)].map(([, label]) => label)).toEqual(['&lt;b>', 'a']);
});

it('draws one cell per non-empty entry for a thousand classes', () => {
  const labels = Array.from({ length: 1000 }, (_, k) => `class ${k}`);
  const counts = labels.map((_, t) => labels.map((_, p) => (p === t ? 2 : p === (t + 1) % 1000 ? 1 : 0)));
  const html = evaluationReport(evaluation(labels, counts), { model: 'm', folder: 'd' });
  expect(html.match(/<rect class="(correct|wrong)"/g)).toHaveLength(2000);
  expect(html.length).toBeLessThan(2 ** 20);
});
