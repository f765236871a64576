/** The numbers of the figures that a reader can change, and how the address writes them. */
import type { Fields } from '../address.ts';

/** Two maps and two filters, one after the other. */
export interface VectorNumbers {
  readonly map: readonly number[];
  readonly filter: readonly number[];
}

export interface GroupedNumbers {
  readonly inputs: number;
  readonly filters: number;
  /** Those that were asked for; where they do not divide both sides, there are fewer. */
  readonly groups: number;
  readonly pixel: readonly number[];
  /** The rows are filters. */
  readonly weights: readonly (readonly number[])[];
}

export interface Figures {
  readonly vectors: VectorNumbers;
  readonly grouped: GroupedNumbers;
}

export const inputChoices = [4, 6, 8] as const;
export const filterChoices = [2, 4, 8] as const;
const largest = 8;

/** Small numbers in no particular order. A weight of zero would look like one that is not there. */
const values = [-3, -2, -1, 1, 2, 3, 4];

export const initialFigures: Figures = {
  vectors: { map: [1, 2, 3, 4, 5, 6, 7, 8], filter: [2, 0, 1, 3, 1, 1, 0, 2] },
  grouped: {
    inputs: 8,
    filters: 4,
    groups: 4,
    pixel: [3, 1, 4, 1, 5, 9, 2, 6],
    weights: Array.from({ length: largest }, (_, row) =>
      Array.from({ length: largest }, (_, column) => values[(row * 5 + column * 3 + row * column) % values.length]!),
    ),
  },
};

/** What an address has that does not make sense is the default. */
export function readFigures({ ab, xy, grouped, pixel, weights }: Fields): Figures {
  const { vectors, grouped: usual } = initialFigures;
  const sizes = readNumbers(grouped, [usual.inputs, usual.filters, usual.groups]);
  const one = (choices: readonly number[], value: number, otherwise: number) =>
    choices.includes(value) ? value : otherwise;
  return {
    vectors: { map: readNumbers(ab, vectors.map), filter: readNumbers(xy, vectors.filter) },
    grouped: {
      inputs: one(inputChoices, sizes[0]!, usual.inputs),
      filters: one(filterChoices, sizes[1]!, usual.filters),
      groups: sizes[2]! >= 1 ? sizes[2]! : usual.groups,
      pixel: readNumbers(pixel, usual.pixel),
      weights: readWeights(weights, usual.weights),
    },
  };
}

/** `3.-1.4`, as many as there are usually. */
function readNumbers(text: string | undefined, usual: readonly number[]): readonly number[] {
  if (text === undefined || !/^-?\d{1,2}(\.-?\d{1,2})*$/.test(text)) return usual;
  const numbers = text.split('.').map(Number);
  return numbers.length === usual.length ? numbers : usual;
}

/** `1.3.-7_2.1.5`: filter, channel and number of each weight that was changed. */
function readWeights(text: string | undefined, usual: GroupedNumbers['weights']): GroupedNumbers['weights'] {
  const changed = usual.map((row) => [...row]);
  for (const cell of text?.split('_') ?? []) {
    const [filter, channel, value] = readNumbers(cell, [0, 0, 0]);
    const row = changed[filter! - 1];
    if (row && channel! >= 1 && channel! <= row.length) row[channel! - 1] = value!;
  }
  return changed;
}

export function writeFigures({ vectors, grouped }: Figures): Fields {
  const { vectors: usualVectors, grouped: usual } = initialFigures;
  const sizes = ({ inputs, filters, groups }: GroupedNumbers) => [inputs, filters, groups];
  const weights = grouped.weights.flatMap((row, f) =>
    row.flatMap((value, c) => (value === usual.weights[f]![c] ? [] : `${f + 1}.${c + 1}.${value}`)),
  );
  return {
    ...written('ab', vectors.map, usualVectors.map),
    ...written('xy', vectors.filter, usualVectors.filter),
    ...written('grouped', sizes(grouped), sizes(usual)),
    ...written('pixel', grouped.pixel, usual.pixel),
    ...(weights.length > 0 && { weights: weights.join('_') }),
  };
}

function written(name: string, numbers: readonly number[], usual: readonly number[]): Fields {
  const text = numbers.join('.');
  return text === usual.join('.') ? {} : { [name]: text };
}
