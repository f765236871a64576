/** Numbers that golden scripts and tests compute in the same way, so no file has to store them: see `make.py`. */

/** `count` numbers in [0, 1), each from a hash of its index. */
export function numbers(seed: number, count: number): Float64Array {
  const start = Math.imul(seed, 0x9e3779b1);
  return Float64Array.from({ length: count }, (_, i) => {
    let x = (start + i) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  });
}

/** The input for golden logits: `count` float32 numbers in [−1, 1). */
export const goldenInput = (count: number): Float32Array =>
  Float32Array.from(numbers(999, count), (u) => 2 * Math.fround(u) - 1);
