/** The predictions of an evaluation as CSV or JSON lines, a row per image that was measured. */
import { csvRow } from './csv.ts';
import { byEnding } from './endings.ts';

export interface LabeledPrediction {
  readonly path: string;
  /** The names of the image's class and of the most likely one. */
  readonly class: string;
  readonly prediction: string;
  /** Probability of the predicted class, from 0 to 1. */
  readonly probability: number;
  readonly correct: boolean;
}

interface Layout {
  readonly start: string;
  readonly row: (prediction: LabeledPrediction) => string;
}

const layouts: Readonly<Record<string, Layout>> = {
  '.csv': {
    start: 'path,class,prediction,probability,correct\n',
    row: (row) =>
      `${csvRow([row.path, row.class, row.prediction, Number(row.probability.toPrecision(6)), row.correct])}\n`,
  },
  '.jsonl': { start: '', row: (row) => `${JSON.stringify(row)}\n` },
};

/** @throws UsageError unless the file extension is that of a supported format. */
export const checkPredictionFile = (file: string): void => void layoutOf(file);

const layoutOf = (file: string): Layout => byEnding(file, layouts, 'Give -o a name with one of these endings.');

/** The contents of a file with this name. */
export function* predictionRows(
  file: string,
  predictions: Iterable<LabeledPrediction>,
): Generator<Uint8Array, void, undefined> {
  const { start, row } = layoutOf(file);
  yield Buffer.from(start);
  for (const prediction of predictions) yield Buffer.from(row(prediction));
}
