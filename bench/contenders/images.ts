/** Images between -1 and 1, bit-identical for every contender, including Python (rivals/torch_network.py). */
export function images(dims: readonly number[]): Float32Array {
  const size = dims.reduce((a, b) => a * b, 1);
  return Float32Array.from({ length: size }, (_, i) => ((i * 40503) % 65536) / 32768 - 1);
}
