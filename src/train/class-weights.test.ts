import { expect, it } from 'vitest';
import { classWeightsOf } from './class-weights.ts';

const close = (actual: readonly number[] | undefined, expected: readonly number[]) => {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(actual![i]).toBeCloseTo(value, 6);
};

it("balanced weights are scikit-learn's: N / (K·n)", () => {
  close(classWeightsOf('balanced', [30, 10, 60]).classWeights, [100 / 90, 100 / 30, 100 / 180]);
});

/** NumPy: (1 − 0.9999) / (1 − np.power(0.9999, [5000, 500, 50])), divided by its sum, times 3. */
it('effective numbers are those of their authors', () => {
  close(classWeightsOf('effective', [5000, 500, 50]).classWeights, [0.03410736, 0.27516723, 2.69072541]);
});

it('classes without images do not count, and none is no option at all', () => {
  close(classWeightsOf('balanced', [30, 0, 10]).classWeights, [40 / 60, 1, 2]);
  expect(classWeightsOf('none', [1, 2])).toEqual({});
});
