/** What measurements of replicas say. */
import { expect, test } from 'vitest';
import { choiceFrom } from './replicas.ts';

test.each([
  [[1, 0.95], { replicas: 1 }],
  [[1, 0.8], { replicas: 2, speedup: 1.25 }],
  [[5.1, 1], undefined],
  [[1, 0.6, 0.5], { replicas: 4, speedup: 2 }],
])('steps of %j seconds', (times, choice) => {
  expect(choiceFrom([1, 2, 4].slice(0, times.length), times)).toEqual(choice);
});
