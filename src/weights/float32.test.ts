import { expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { tensor } from '../tensor.ts';
import { toFloat32 } from './float32.ts';

/** The definition, in float64. */
function value(bits: number, exponentBits: number, fractionBits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * 2 ** (1 - bias) * fraction : sign * 2 ** (exponent - bias) * (1 + fraction);
}

const every = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

test('every float16 converts exactly', () => {
  const { data } = toFloat32(tensor('float16', [65536], every));
  expect([...data]).toEqual([...every].map((bits) => value(bits, 5, 10)));
});

test('every bfloat16 converts exactly', () => {
  const { data } = toFloat32(tensor('bfloat16', [65536], every));
  expect([...data]).toEqual([...every].map((bits) => value(bits, 8, 7)));
});

test('float32 is returned unchanged, float64 is rounded, other types are refused', () => {
  const given = tensor('float32', [1]);
  expect(toFloat32(given)).toBe(given);
  expect(toFloat32(tensor('float64', [2], Float64Array.of(0.1, 1e300))).data).toEqual(Float32Array.of(0.1, Infinity));
  expect(() => toFloat32(tensor('int64', [2]))).toThrow(UsageError);
});
