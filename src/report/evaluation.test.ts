import { expect, it } from 'vitest';
import type { Evaluation } from '../classifier/evaluation.ts';
import { Calibration } from '../metrics/calibration.ts';
import { Confusion } from '../metrics/confusion.ts';
import { evaluationReport } from './evaluation.ts';
import { chooseMistakes, type Mistake } from './gallery.ts';

function evaluation(labels: readonly string[], counts: readonly (readonly number[])[]): Evaluation {
  const confusion = new Confusion(labels.length);
  for (const [t, row] of counts.entries()) {
    for (const [p, count] of row.entries()) for (let i = 0; i < count; i++) confusion.add(t, p);
  }
  const calibration = new Calibration();
  calibration.add(0.9, true);
  const figures = { images: 10, top1: 70, top5: 100, loss: 0.5, classes: {} };
  return {
    ...figures,
    ...confusion.means(),
    scores: confusion.scores(labels),
    confusion: confusion.rows,
    calibration: calibration.result(),
  };
}

const result = evaluation(
  ['a', '<b>', 'c'],
  [
    [4, 2, 0],
    [0, 3, 1],
    [0, 0, 0],
  ],
);
const mistake = (path: string, label: number, predicted: number, probability: number, loss = 0): Mistake => ({
  ...{ index: Number(path), path, label, predicted, probability, loss },
});

it('picks the images with the highest loss, and from the most confused pairs those with the highest probability', () => {
  const some = [mistake('1', 1, 2, 0.9, 2), mistake('2', 0, 1, 0.5, 3), mistake('3', 0, 1, 0.7, 1)];
  expect(chooseMistakes(result, some).map(({ path }) => path)).toEqual(['2', '1', '3']);
  const many = Array.from({ length: 60 }, (_, i) => mistake(`${i}`, 0, 1, i / 60, (i + 30) % 60));
  const chosen = chooseMistakes(result, many).map(({ index }) => index);
  expect(chosen.slice(0, 24)).toEqual(Array.from({ length: 24 }, (_, k) => 29 - k)); // the highest losses
  expect(chosen.slice(24)).toEqual([59, 58, 57, 56, 55, 54]); // of the only pair with images
});

it('has the figures, the matrix, calibration, mistakes, the pairs and the classes on one page', async () => {
  const thumbnail = 'data:image/jpeg;base64,AAAA';
  const overlay = 'data:image/png;base64,BBBB';
  const shown = [{ ...mistake('x/"1".png', 0, 1, 0.7, 3), thumbnail, size: [32, 24] as const, overlay }];
  const html = await evaluationReport(result, { model: 'm', folder: 'd', notes: ['ten crops'], mistakes: shown });
  expect(html).toContain('<dt>top-1</dt><dd>70.00 %</dd>');
  expect(html).toContain('<dt>balanced accuracy</dt><dd>70.83 %</dd>'); // (4/6 + 3/4) / 2
  expect(html).toContain('<dt>macro F1</dt><dd>48.89 %</dd>'); // (8/10 + 6/9 + 0) / 3
  expect(html).not.toContain('top-5'); // meaningless with three classes
  expect(html).toContain('<p class="about">ten crops</p>');
  expect(html).toContain('<title>a: 2 of 6 predicted as &lt;b></title>');
  expect(html).toContain('<title>&lt;b>: 3 of 4 correct</title>');
  expect(html.match(/<rect class="(correct|wrong)"/g)).toHaveLength(4);
  expect(html).toContain('Overconfident: on average, the model is 90.0 % confident, and right in 70.0 % of cases.');
  expect(html).toContain('(ECE) is <b>10.00 %</b>'); // one prediction with confidence 0.9, which is right
  expect(html).toContain('<b>a</b> predicted as <b>&lt;b></b>: 2 of 6');
  expect(
    html.match(
      /<img src="data:image\/jpeg;base64,AAAA" class="pixels" width="32" height="24" alt="x\/&quot;1&quot;.png"/g,
    ),
  ).toHaveLength(2);
  expect(html.match(/<img src="data:image\/png;base64,BBBB"/g)).toHaveLength(1);
  expect(html).toContain('The heat maps show the regions that support the predicted class (Grad-CAM).');
  expect(html).toContain('<span class="share">5 %</span>'); // exp(−3) of the true class
  expect(html).not.toContain('<b></b>');
  expect(html).not.toMatch(/(src|href)="(?!data:)/);
  expect(html).toContain('Weakest first, without the one class that had no images.');
  expect([...html.matchAll(/<tr><td>([^<]*)</g)].map(([, label]) => label)).toEqual(['&lt;b>', 'a']);
});

it('draws one cell per non-empty entry for a thousand classes', async () => {
  const labels = Array.from({ length: 1000 }, (_, k) => `class ${k}`);
  const counts = labels.map((_, t) => labels.map((_, p) => (p === t ? 2 : p === (t + 1) % 1000 ? 1 : 0)));
  const html = await evaluationReport(evaluation(labels, counts), { model: 'm', folder: 'd' });
  expect(html.match(/<rect class="(correct|wrong)"/g)).toHaveLength(2000);
  expect(html.length).toBeLessThan(2 ** 20);
});
