/**
 * Writes feature vectors and feature maps to files, one per stage: `.npy` is a float32 array [N, F] or [N, C, H, W]
 * with the image paths in a separate text file; `.parquet`, for pandas and pyarrow, has the columns `path` (string) and
 * `features` (list of float); `.jsonl` has one object with both per line. In the last two a map is a flat, row-major
 * list, and `dims` is its shape.
 */
import { dirname, extname } from 'node:path';
import { UsageError } from '../errors.ts';
import { makeFolder, type StagedFile, stageFile } from '../files.ts';
import { bytesOf, type Tensor } from '../tensor.ts';
import { npyHeader } from './npy.ts';

/** One stage's features of all images. */
export interface Table {
  readonly paths: readonly string[];
  /** [F] or [C, H, W] each, all of the same shape. */
  readonly rows: readonly Tensor<'float32'>[];
}

type Write = (table: Table) => Promise<Iterable<Uint8Array>> | Iterable<Uint8Array>;

const writers: Readonly<Record<string, Write>> = { '.npy': npy, '.parquet': parquet, '.jsonl': jsonLines };

/** @throws UsageError unless the file extension is that of a supported format. */
export function checkFeatureFile(file: string): void {
  if (extname(file) in writers) return;
  const known = Object.keys(writers).join(', ');
  throw new UsageError(`-o "${file}" ends in "${extname(file)}", but expected one of ${known}.`);
}

/**
 * Writes one file per stage, either all or none, and a `.paths.txt` file if the format cannot contain paths.
 *
 * @param file the file for a single stage; with several stages, `out.npy` becomes `out.layer3.npy` and so on.
 * @returns the paths of the files, in the order of the stages.
 */
export async function writeFeatures(file: string, tables: ReadonlyMap<string, Table>): Promise<string[]> {
  const ending = extname(file);
  const stem = file.slice(0, -ending.length);
  const contents = new Map<string, Iterable<Uint8Array>>();
  for (const [stage, table] of tables) {
    const name = tables.size === 1 ? file : `${stem}.${stage}${ending}`;
    contents.set(name, await writers[ending]!(table));
    if (ending === '.npy') contents.set(`${stem}.paths.txt`, [encode(table.paths.map((path) => `${path}\n`).join(''))]);
  }
  await makeFolder(dirname(file));
  const staged: StagedFile[] = [];
  try {
    for (const [name, chunks] of contents) staged.push(await stageFile(name, chunks));
  } catch (error) {
    for (const each of staged) await each.discard();
    throw error;
  }
  for (const each of staged) await each.commit();
  return [...contents.keys()];
}

function npy({ rows }: Table): Iterable<Uint8Array> {
  return [npyHeader([rows.length, ...rows[0]!.dims]), ...rows.map(bytesOf)];
}

function* jsonLines({ paths, rows }: Table): Iterable<Uint8Array> {
  for (const [n, { dims, data }] of rows.entries()) {
    const shape = dims.length > 1 ? { dims } : {};
    yield encode(`${JSON.stringify({ path: paths[n]!, features: Array.from(data), ...shape })}\n`);
  }
}

async function parquet({ paths, rows }: Table): Promise<Iterable<Uint8Array>> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const hasDims = rows[0]!.dims.length > 1;
  const schema = [
    { name: 'root', num_children: hasDims ? 3 : 2 },
    { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' } as const,
    ...list('features', 'FLOAT'),
    ...(hasDims ? list('dims', 'INT32') : []),
  ];
  const columnData = [
    { name: 'path', data: [...paths] },
    { name: 'features', data: rows.map(({ data }) => Array.from(data)) },
    ...(hasDims ? [{ name: 'dims', data: rows.map(({ dims }) => [...dims]) }] : []),
  ];
  return [new Uint8Array(parquetWriteBuffer({ columnData, schema, statistics: false, codec: 'UNCOMPRESSED' }))];
}

/** A column of lists, in the three levels that Parquet requires. */
const list = (name: string, type: 'FLOAT' | 'INT32') =>
  [
    { name, num_children: 1, converted_type: 'LIST', repetition_type: 'REQUIRED' },
    { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
    { name: 'element', type, repetition_type: 'REQUIRED' },
  ] as const;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
