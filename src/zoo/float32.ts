/**
 * Floating-point tensors as float32. A bfloat16 is the upper half of a float32; a float16 has 1 sign, 5 exponent
 * (bias 15) and 10 fraction bits, and every one of its values is a float32 too.
 */
import { FormatError } from '../errors.ts';
import { type Tensor, tensor } from '../tensor.ts';

/**
 * The tensor itself where it is float32 already, else a copy; exact but for float64, which is rounded.
 *
 * @throws FormatError for whole numbers, as in quantised nets.
 */
export function toFloat32(given: Tensor, name: string): Tensor<'float32'> {
  if (given.dtype === 'float32') return given;
  const data = new Float32Array(given.data.length);
  if (given.dtype === 'float64') data.set(given.data);
  else if (given.dtype === 'bfloat16')
    new Uint32Array(data.buffer).set(Uint32Array.from(given.data, (bits) => bits << 16));
  else if (given.dtype === 'float16') for (const [i, bits] of given.data.entries()) data[i] = fromHalf(bits);
  else
    throw new FormatError(
      `"${name}" holds ${given.dtype}, and weights are floating-point numbers; is the net quantised?`,
    );
  return tensor('float32', given.dims, data);
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
