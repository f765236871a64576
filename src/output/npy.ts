/**
 * NumPy's file format for one array: the magic number, version 1.0, the header's length, a Python dictionary padded
 * with spaces so that the data is aligned to 64 bytes, and the data, little-endian and row-major.
 * Reference: the NEP "A Simple File Format for NumPy Arrays".
 */

/**
 * The header of a `.npy` file of float32 numbers. The data follows, as it is in memory.
 *
 * @example await writeFileAtomically('a.npy', [npyHeader([2, 3]), bytesOf(matrix)]);
 */
export function npyHeader(dims: readonly number[]): Uint8Array {
  const shape = dims.map((dim) => `${dim},`).join(' ');
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  const before = 10; // magic, version, length
  const length = Math.ceil((before + text.length + 1) / 64) * 64 - before;
  const bytes = new Uint8Array(before + length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 255, length >> 8]); // \x93NUMPY
  new TextEncoder().encodeInto(`${text.padEnd(length - 1)}\n`, bytes.subarray(before));
  return bytes;
}
