/** Features as a Parquet file, a group of rows at a time. */
import type { ParquetWriter } from 'hyparquet-writer';
import { elements } from '../tensor.ts';
import { type FeatureRows, rowsOf } from './rows.ts';

/** As many numbers as a group of rows has, at most: 1 MiB of them. The writer takes some fifty times as much. */
const maxInGroup = 2 ** 18;

export async function parquetChunks({ dims, paths, bytes }: FeatureRows): Promise<Iterable<Uint8Array>> {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
  const length = elements(dims);
  const inGroup = Math.max(1, Math.floor(maxInGroup / length));
  const hasDims = dims.length > 1;
  return (function* () {
    const buffer = new ByteWriter();
    const writer = new ParquetWriter({
      writer: buffer,
      schema: schemaOf(hasDims),
      codec: 'UNCOMPRESSED',
      statistics: false,
    });
    const rows = rowsOf(bytes(), length);
    for (const group of groupsOf(paths(), inGroup)) {
      const features = group.map(() => Array.from(rows.next().value!));
      writer.write({
        columnData: [
          { name: 'path', data: group },
          { name: 'features', data: features },
          ...(hasDims ? [{ name: 'dims', data: group.map(() => [...dims]) }] : []),
        ],
        rowGroupSize: inGroup,
      });
      yield takeBytes(buffer);
    }
    writer.finish();
    yield takeBytes(buffer);
  })();
}

type Buffered = InstanceType<typeof import('hyparquet-writer').ByteWriter>;

/** The bytes since the last time. The writer counts on in its offset, as for a file. */
function takeBytes(buffer: Buffered): Uint8Array {
  const bytes = buffer.getBytes().slice();
  buffer.index = 0;
  return bytes;
}

type Schema = ConstructorParameters<typeof ParquetWriter>[0]['schema'];

const schemaOf = (hasDims: boolean): Schema => [
  { name: 'root', num_children: hasDims ? 3 : 2 },
  { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
  ...list('features', 'FLOAT'),
  ...(hasDims ? list('dims', 'INT32') : []),
];

/** A column of lists, in the three levels that Parquet requires. */
const list = (name: string, type: 'FLOAT' | 'INT32'): Schema => [
  { name, num_children: 1, converted_type: 'LIST', repetition_type: 'REQUIRED' },
  { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
  { name: 'element', type, repetition_type: 'REQUIRED' },
];

function* groupsOf<T>(values: Iterable<T>, size: number): Generator<T[], void, undefined> {
  let group: T[] = [];
  for (const value of values) {
    if (group.push(value) < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
