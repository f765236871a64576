import { expect, it } from 'vitest';
import { argmax, Confusion, mostConfused, weakestFirst } from './confusion.ts';

const confusion = new Confusion(4);
const counts = [
  [3, 1, 0, 0],
  [2, 1, 1, 0],
  [0, 0, 0, 0],
  [0, 0, 5, 0],
];
for (const [t, row] of counts.entries()) {
  for (const [p, count] of row.entries()) for (let i = 0; i < count; i++) confusion.add(t, p);
}

it('counts the predictions for each class', () => expect(confusion.rows.map((row) => Array.from(row))).toEqual(counts));

it('matches recall, precision and F1 computed by hand', () => {
  const [a, b, c, d] = confusion.scores(['a', 'b', 'c', 'd']);
  expect(a).toEqual({ label: 'a', images: 4, recall: 75, precision: 60, f1: 600 / 9 }); // 3 of 4, 3 of 5, 6 of 9
  expect(b).toEqual({ label: 'b', images: 4, recall: 25, precision: 50, f1: 200 / 6 }); // 1 of 4, 1 of 2, 2 of 6
  expect(c).toEqual({ label: 'c', images: 0, recall: 0, precision: 0, f1: 0 }); // no images, 6 predictions
  expect(d).toEqual({ label: 'd', images: 5, recall: 0, precision: 0, f1: 0 });
});

it('matches the means of scikit-learn, by hand', () => {
  const { balancedAccuracy, macroF1 } = confusion.means();
  expect(balancedAccuracy).toBeCloseTo((75 + 25 + 0) / 3, 10); // class c has no images
  expect(macroF1).toBeCloseTo((600 / 9 + 200 / 6 + 0 + 0) / 4, 10); // but it is predicted, so its F1 of 0 counts
});

it('is not deceived by uneven classes', () => {
  const always = new Confusion(3); // 98 cats, 2 dogs, no birds; everything is called a cat
  for (let i = 0; i < 98; i++) always.add(0, 0);
  for (let i = 0; i < 2; i++) always.add(1, 0);
  const { balancedAccuracy, macroF1 } = always.means();
  expect(balancedAccuracy).toBe(50);
  expect(macroF1).toBeCloseTo((100 * (2 * 98)) / (98 + 100) / 2, 10); // 49.49: birds neither occur nor are predicted
});

it('finds the most confused pairs', () => {
  expect(mostConfused(confusion.rows, 3)).toEqual([
    { label: 3, predicted: 2, images: 5 },
    { label: 1, predicted: 0, images: 2 },
    { label: 0, predicted: 1, images: 1 },
  ]);
  expect(mostConfused([Uint32Array.of(7)], 3)).toEqual([]);
});

it('an image without a prediction still counts for its class', () => {
  const one = new Confusion(2);
  one.add(1, -1);
  expect(one.rows.map((row) => Array.from(row))).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect(one.scores(['a', 'b'])[1]).toMatchObject({ images: 1, recall: 0 });
});

it('argmax is the first of equal values, and never NaN', () => {
  expect(argmax(Float32Array.of(1, 3, 3))).toBe(1);
  expect(argmax(Float32Array.of(Number.NaN, -Infinity, -5))).toBe(2);
  expect(argmax(Float32Array.of(Number.NaN, -Infinity))).toBe(1);
  expect(argmax(Float32Array.of(Number.NaN))).toBe(-1);
});

it('the weakest classes are among those that have images', () => {
  const labels = ['right', 'none', 'half', 'wrong'];
  const confusion = new Confusion(labels.length);
  confusion.add(0, 0);
  confusion.add(2, 2);
  confusion.add(2, 3);
  confusion.add(3, 2);
  expect(weakestFirst(confusion.scores(labels)).map(({ label }) => label)).toEqual(['wrong', 'half', 'right']);
});
