import { expect, it } from 'vitest';
import { permutation, sampleRandom } from './random.ts';

const draws = (...key: [seed: number, epoch: number, index: number]): number[] => {
  const random = sampleRandom(...key);
  return Array.from({ length: 4 }, () => random.float());
};

it('repeats itself, on every machine', () => {
  expect(draws(7, 2, 5)).toEqual(draws(7, 2, 5));
  expect(draws(7, 2, 5).map((x) => x.toFixed(6))).toMatchInlineSnapshot(`
    [
      "0.510607",
      "0.771789",
      "0.226096",
      "0.260450",
    ]
  `);
  expect([...permutation(10, 7, 2)]).toMatchInlineSnapshot(`
    [
      5,
      9,
      1,
      4,
      8,
      0,
      6,
      3,
      2,
      7,
    ]
  `);
});

it('differs for every seed, epoch and index, beyond 32 bits too', () => {
  const keys = [
    [0, 0, 0],
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
    [-1, 0, 0],
    [2 ** 32, 0, 0],
  ] satisfies [number, number, number][];
  const firsts = keys.map((key) => draws(...key)[0]);
  expect(new Set(firsts).size).toBe(keys.length);
});

it('is uniform over neighboring samples and epochs', () => {
  const n = 20_000;
  const cells = new Float64Array(100); // the first number in ten intervals × the second
  for (let i = 0; i < n; i++) {
    const [a, b] = draws(1, i % 4, i) as [number, number];
    const cell = Math.floor(a * 10) * 10 + Math.floor(b * 10);
    cells[cell] = cells[cell]! + 1;
  }
  const chiSquare = cells.reduce((sum, seen) => sum + (seen - n / 100) ** 2 / (n / 100), 0);
  expect(chiSquare).toBeGreaterThan(55); // 99 degrees of freedom: 1 in 10,000 outside 55 … 160
  expect(chiSquare).toBeLessThan(160);
});

it('draws integers from lo to below hi', () => {
  const random = sampleRandom(3, 0, 0);
  const seen = new Set(Array.from({ length: 200 }, () => random.int(-2, 3)));
  expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
});

it('permutes: every number once, each order about as often', () => {
  expect([...permutation(1000, 1, 0)].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  expect(permutation(0, 1, 0)).toHaveLength(0);
  const counts = new Map<string, number>();
  for (let epoch = 0; epoch < 6000; epoch++) {
    const order = permutation(3, 1, epoch).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(6);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(120); // 4 standard deviations
});
