/**
 * Converts floating-point tensors to float32. bfloat16 is the upper half of a float32. float16 has 1 sign, 5 exponent
 * and 10 fraction bits: (-1)^s 2^(e-15) (1 + f/1024), with e = 0 for subnormal numbers and e = 31 for infinities and
 * NaN. Both convert exactly (NaNs keep their bits); float64 is rounded to nearest.
 */
import { UsageError } from '../errors.ts';
import { type Tensor, tensor } from '../tensor.ts';

/**
 * Converts a tensor to float32 with the same dimensions. A float32 tensor is returned unchanged.
 *
 * @throws UsageError if the elements are not floating-point numbers.
 * @example const weight = toFloat32(stored.read());
 */
export function toFloat32(source: Tensor): Tensor<'float32'> {
  const { dtype, dims } = source;
  switch (dtype) {
    case 'float32':
      return source;
    case 'float64':
      return tensor('float32', dims, Float32Array.from(source.data));
    case 'bfloat16':
      return fromBits(source.data, dims, (bits) => bits << 16);
    case 'float16':
      return fromBits(source.data, dims, float16Bits);
    default:
      throw new UsageError(`A tensor [${dims}] is ${dtype}, but expected a floating-point type to convert to float32.`);
  }
}

function fromBits(data: Uint16Array, dims: readonly number[], widen: (bits: number) => number): Tensor<'float32'> {
  const made = tensor('float32', dims);
  const bits = new Uint32Array(made.data.buffer);
  for (let i = 0; i < bits.length; i += 1) bits[i] = widen(data[i]!);
  return made;
}

/** The float32 bits of a float16. */
function float16Bits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21; // subnormal: shifted until the leading bit becomes the implicit one
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 1023) << 13);
}
