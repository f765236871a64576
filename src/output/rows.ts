/** Features on disk, a row per image. */

/** One stage's features of all images, which are read from disk when they are iterated. */
export interface FeatureRows {
  readonly count: number;
  /** The shape of each row, [F] or [C, H, W]. */
  readonly dims: readonly number[];
  paths(): Iterable<string>;
  /** All rows one after another, in pieces of any length. */
  bytes(): Iterable<Uint8Array>;
}

/** Splits bytes into rows of this many float32 numbers. */
export function* rowsOf(chunks: Iterable<Uint8Array>, length: number): Generator<Float32Array, void, undefined> {
  let row = new Float32Array(length);
  let filled = 0; // bytes of the row
  for (const chunk of chunks) {
    for (let start = 0; start < chunk.length; ) {
      const piece = chunk.subarray(start, start + row.byteLength - filled);
      new Uint8Array(row.buffer).set(piece, filled);
      start += piece.length;
      filled += piece.length;
      if (filled < row.byteLength) continue;
      yield row;
      [row, filled] = [new Float32Array(length), 0];
    }
  }
}
