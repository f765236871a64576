import { expect, it } from 'vitest';
import { npyHeader } from './npy.ts';

it.each([
  [[], '()'],
  [[5], '(5,)'],
  [[12, 256], '(12, 256,)'],
  [[100000, 2048, 112, 112], '(100000, 2048, 112, 112,)'],
])('the header of %j is padded to 64 bytes', (dims, shape) => {
  const header = npyHeader(dims);
  const text = new TextDecoder('latin1').decode(header);
  expect(text.slice(0, 8)).toBe('\x93NUMPY\x01\x00');
  expect(header.length % 64).toBe(0);
  expect(new DataView(header.buffer).getUint16(8, true)).toBe(header.length - 10);
  expect(text.slice(10).trimEnd()).toBe(`{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`);
  expect(text.endsWith('\n')).toBe(true);
});
