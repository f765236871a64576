import { expect, test } from 'vitest';
import { goldenPickles } from '../../test/weight-files.ts';
import { Tuple, unpickle } from './pickle.ts';
import { bytesSource, Cursor } from './source.ts';
import { TorchNames } from './torch-names.ts';

const noStorages = new TorchNames('p', () => {
  throw new Error('unexpected storage');
});
const read = (bytes: Uint8Array) => unpickle(new Cursor(bytesSource(bytes), 'p'), noStorages) as Map<string, unknown>;

test.each(goldenPickles.map((bytes, i) => [i + 2, bytes] as const))(
  'protocol %i preserves plain values',
  (_, bytes) => {
    const values = read(bytes);
    expect(values.get('constants')).toEqual([null, true, false]);
    const large = [2 ** 52, -(2 ** 52), 2n ** 53n, 2n ** 63n, -(2n ** 70n)];
    expect(values.get('integers')).toEqual([0, 255, 256, 65536, -1, 2 ** 31 - 1, -(2 ** 31) - 1, ...large]);
    expect(values.get('floats')).toEqual([0.5, -0, 1e300, Number.POSITIVE_INFINITY, 5e-324]);
    expect(values.get('texts')).toEqual(['', 'conv1.weight', 'h\u00e9 \u4e2d \u{1f600}', 'x'.repeat(300)]);
    expect(values.get('tuples')).toEqual([[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]].map((items) => new Tuple(items)));
    const entries: [unknown, unknown][] = [
      ['__proto__', new Map()],
      [3, ['a']],
      ['b', new Map([['c', null]])],
    ];
    expect(values.get('dict')).toEqual(new Map(entries));
    expect(values.get('sets')).toEqual([new Set(), new Set([1, 2]), new Set([3])]);
    const shared = values.get('shared') as unknown[];
    expect(shared[0]).toBe(shared[1]);
    const recursive = values.get('recursive') as unknown[];
    expect(recursive[0]).toBe(recursive);
  },
);
