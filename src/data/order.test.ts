import { describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { type OrderOptions, orderOf, repetitionsOf } from './order.ts';
import { permutation } from './random.ts';

const labels = [...Array(90).fill(0), ...Array(9).fill(2), 5]; // of classes 1, 3 and 4, there are none
const usual: OrderOptions = { seed: 1, epoch: 0, shuffle: true, balanced: false, repeats: 1 };
const order = (options: Partial<OrderOptions> = {}) =>
  orderOf(labels.length, (index) => labels[index]!, { ...usual, ...options });

it('is the permutation of the epoch, or as it is', () => {
  expect(order({ epoch: 3 })).toEqual(permutation(100, 1, 3));
  expect([...order({ shuffle: false })]).toEqual(labels.map((_, i) => i));
});

describe('repeated', () => {
  it('has each of the first samples several times in a row, and as many as before in all', () => {
    const [once, thrice] = [order(), order({ repeats: 3 })];
    expect(thrice).toHaveLength(100);
    thrice.forEach((index, i) => {
      expect(index).toBe(once[Math.floor(i / 3)]);
    });
    expect(new Set(thrice).size).toBe(34);
    expect([...repetitionsOf(thrice)].slice(0, 7)).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(Math.max(...repetitionsOf(once))).toBe(0);
  });
});

describe('balanced', () => {
  it('draws all classes that there are as often, and their samples evenly', () => {
    const counts = new Map<number, number>();
    const epochs = 200;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const drawn = order({ balanced: true, epoch });
      expect(drawn).toHaveLength(100);
      for (const index of drawn) counts.set(index, (counts.get(index) ?? 0) + 1);
    }
    const of = (label: number) => labels.reduce((sum, each, i) => sum + (each === label ? (counts.get(i) ?? 0) : 0), 0);
    const third = (epochs * 100) / 3;
    for (const label of [0, 2, 5]) expect(Math.abs(of(label) - third)).toBeLessThan(4 * Math.sqrt(third * (2 / 3)));
    for (let i = 90; i < 99; i++) expect(Math.abs(counts.get(i)! - third / 9)).toBeLessThan(4 * Math.sqrt(third / 9));
  });

  it('depends on seed and epoch alone, and may be repeated', () => {
    const first = order({ balanced: true });
    expect(order({ balanced: true })).toEqual(first);
    expect(order({ balanced: true, epoch: 1 })).not.toEqual(first);
    expect(order({ balanced: true, seed: 2 })).not.toEqual(first);
    expect([...order({ balanced: true, repeats: 2 })].slice(0, 4)).toEqual([first[0], first[0], first[1], first[1]]);
  });

  it('needs labels', () => {
    expect(() => orderOf(3, (index) => index - 1, { ...usual, balanced: true })).toThrow(UsageError);
  });
});
