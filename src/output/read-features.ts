/** Reads the files that `features.ts` writes, one row after another. Each file is read into memory. */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { FormatError } from '../errors.ts';
import { readable, refusing } from '../files.ts';
import { parseJson } from '../json.ts';
import { elements, type Tensor, tensor } from '../tensor.ts';
import { byEnding } from './endings.ts';
import { rowsOf } from './rows.ts';

/** The features of one image, of one stage. */
export interface FeatureRow {
  readonly path: string;
  readonly features: Tensor<'float32'>;
}

type Read = (file: string, bytes: Uint8Array) => AsyncGenerator<FeatureRow> | Generator<FeatureRow>;

const readers: Readonly<Record<string, Read>> = { '.npy': npyRows, '.parquet': parquetRows, '.jsonl': jsonRows };

/**
 * The rows of a file of features.
 *
 * @param paths the text file with the paths of a `.npy` file.
 * @throws FormatError if the file is damaged; UsageError if it cannot be read.
 */
export async function* readFeatures(file: string, paths?: string): AsyncGenerator<FeatureRow, void, undefined> {
  const rows = byEnding(file, readers, 'Expected one of these endings.')(file, contentsOf(file));
  if (paths === undefined) return yield* rows;
  const lines = textOf(contentsOf(paths)).split('\n').slice(0, -1);
  let count = 0;
  for await (const { features } of rows) {
    const line = lines[count++];
    if (line === undefined) throw new FormatError(`${paths} has fewer paths than ${file} has rows. Write both again.`);
    yield { path: line.startsWith('"') ? String(parseJson(line, paths)) : line, features };
  }
}

const contentsOf = (file: string): Uint8Array => refusing('read', file, () => readFileSync(readable(file)));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

function* npyRows(file: string, bytes: Uint8Array): Generator<FeatureRow> {
  const length = bytes.length > 10 ? 10 + bytes[8]! + 256 * bytes[9]! : 0;
  const [, shape] =
    /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(([\d, ]+)\)/.exec(textOf(bytes.subarray(10, length))) ?? [];
  const [count, ...dims] = (shape ?? '').split(',').flatMap((text) => (text.trim() ? [Number(text)] : []));
  if (count === undefined || bytes.length !== length + 4 * count * elements(dims)) {
    throw new FormatError(`${file} is not a complete array of float32 rows. Write it again.`);
  }
  for (const row of rowsOf([bytes.subarray(length)], elements(dims))) {
    yield { path: '', features: tensor('float32', dims, row) };
  }
}

const rowSchema = z.object({ path: z.string(), features: z.array(z.number()), dims: z.array(z.number()).nullish() });

/** A row as an object, of JSON lines or of Parquet. */
function rowOf(value: unknown, file: string): FeatureRow {
  const { data } = rowSchema.safeParse(value);
  if (!data) throw new FormatError(`${file} has a row without path and features. Write it again.`);
  const { path, features, dims } = data;
  return { path, features: tensor('float32', dims ?? [features.length], Float32Array.from(features)) };
}

function* jsonRows(file: string, bytes: Uint8Array): Generator<FeatureRow> {
  for (const line of textOf(bytes).split('\n')) if (line !== '') yield rowOf(parseJson(line, file), file);
}

async function* parquetRows(file: string, bytes: Uint8Array): AsyncGenerator<FeatureRow> {
  const { parquetReadObjects } = await import('hyparquet');
  const rows = await parquetReadObjects({ file: new Uint8Array(bytes).buffer }).catch((cause: unknown) => {
    throw new FormatError(`${file} is not a complete Parquet file. Write it again.`, { cause });
  });
  for (const row of rows) yield rowOf(row, file);
}
