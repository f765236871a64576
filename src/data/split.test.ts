/** Which images are held out: about a share of each class, and each image whatever the others are. */
import { expect, test } from 'vitest';
import { byChance, byFold, portablePath } from './split.ts';

const names = Array.from({ length: 1000 }, (_, i) => `${i}.jpg`);

test('about the share of a class is held out, and another fifth with another seed or in another class', () => {
  const held = byChance(0.2, 1)(names, 'cat', 0);
  expect(held.size).toBeGreaterThan(150);
  expect(held.size).toBeLessThan(250);
  for (const other of [byChance(0.2, 2)(names, 'cat', 0), byChance(0.2, 1)(names, 'dog', 0)]) {
    const both = [...held].filter((name) => other.has(name)).length;
    expect(both).toBeGreaterThan(10);
    expect(both).toBeLessThan(90);
  }
});

test('an image stays on its side when others come and go, or are listed in another order', () => {
  const all = byChance(0.2, 1)(names, 'cat', 0);
  const some = names.filter((_, i) => i % 3 > 0).reverse();
  expect(byChance(0.2, 1)(some, 'cat', 7)).toEqual(new Set(some.filter((name) => all.has(name))));
});

test('with a larger share, more images are held out besides the same', () => {
  const more = byChance(0.3, 1)(names, 'cat', 0);
  expect([...byChance(0.2, 1)(names, 'cat', 0)].every((name) => more.has(name))).toBe(true);
});

test.each([2, 3, 5])('of %i images, at least one is held out and at least one is not', (count) => {
  for (let seed = 0; seed < 50; seed++) {
    for (const share of [0.01, 0.2, 0.99]) {
      const { size } = byChance(share, seed)(names.slice(0, count), 'cat', 0);
      expect(size).toBeGreaterThan(0);
      expect(size).toBeLessThan(count);
    }
  }
  expect(byChance(0, 1)(names, 'cat', 0).size).toBe(0);
  expect(byChance(0.5, 1)(['only.jpg'], 'cat', 0).size).toBe(0);
});

test('composed and decomposed accents are the same name', () => {
  expect(portablePath('e\u0301squilo.jpg')).toBe('\u00e9squilo.jpg');
});

test.each([
  [1000, 5],
  [7, 3],
  [3, 5],
])('of %i images in a class, each is in one of %i folds, which are of equal size but for one image', (count, folds) => {
  const own = names.slice(0, count);
  for (const label of [0, 1]) {
    const parts = Array.from({ length: folds }, (_, k) => [...byFold(k + 1, folds, 1)(own, 'cat', label)]);
    expect(parts.flat().sort()).toEqual(own.toSorted());
    for (const { length } of parts) expect([Math.floor(count / folds), Math.ceil(count / folds)]).toContain(length);
    expect(byFold(2, folds, 1)(own.toReversed(), 'cat', label)).toEqual(new Set(parts[1]));
  }
  if (count > 9) expect(byFold(1, folds, 2)(own, 'cat', 0)).not.toEqual(byFold(1, folds, 1)(own, 'cat', 0));
  expect(byFold(1, folds, 1)(['only.jpg'], 'cat', 0).size).toBe(0);
});
