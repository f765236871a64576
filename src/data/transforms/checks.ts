/** What an option of a transform may be: a test for values from anywhere, and the words that follow "but expected". */

export interface Check<T> {
  readonly expected: string;
  is(value: unknown): value is T;
}

type Pair = readonly [number, number];

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

const isPositive = (value: unknown): value is number => isNumber(value) && value > 0;

const isPair = (value: unknown): value is Pair => Array.isArray(value) && value.length === 2 && value.every(isNumber);

export const wholeFrom = (least: number): Check<number> => ({
  expected: `a whole number from ${least}`,
  is: (value): value is number => isNumber(value) && Number.isInteger(value) && value >= least,
});

export const probability: Check<number> = {
  expected: 'a number from 0 to 1',
  is: (value): value is number => isNumber(value) && value >= 0 && value <= 1,
};

/** From a smaller to a larger positive number. */
export const range: Check<Pair> = {
  expected: 'two positive numbers in rising order',
  is: (value): value is Pair => isPair(value) && isPositive(value[0]) && value[0] <= value[1],
};

export const numbers: Check<readonly number[]> = {
  expected: 'a list of numbers',
  is: (value): value is number[] => Array.isArray(value) && value.length > 0 && value.every(isNumber),
};

export const positiveNumbers: Check<readonly number[]> = {
  expected: 'positive numbers',
  is: (value): value is number[] => Array.isArray(value) && value.length > 0 && value.every(isPositive),
};

export const oneOf = <T extends string>(choices: readonly T[]): Check<T> => ({
  expected: `one of ${choices.join(', ')}`,
  is: (value): value is T => choices.some((choice) => choice === value),
});
