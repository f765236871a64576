/** A decoder in two steps: the header first, so that the size can be checked before memory is allocated for the pixels. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  /** Decodes the pixels to RGB. */
  readonly pixels: () => Uint8Array; // [H, W, 3]
}

/** Bytes of a file that may be shorter than its header claims. Reading past the end throws. */
export class Bytes {
  readonly data: Uint8Array;
  readonly #view: DataView;

  constructor(data: Uint8Array) {
    this.data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  u8 = (at: number): number => this.#view.getUint8(this.#checked(at, 1));
  u16 = (at: number): number => this.#view.getUint16(this.#checked(at, 2), true);
  u32 = (at: number): number => this.#view.getUint32(this.#checked(at, 4), true);
  i32 = (at: number): number => this.#view.getInt32(this.#checked(at, 4), true);

  /** A region of the file, as a view. */
  slice(at: number, length: number): Uint8Array {
    this.#checked(at, length);
    return this.data.subarray(at, at + length);
  }

  #checked(at: number, length: number): number {
    if (at >= 0 && at + length <= this.data.length) return at;
    throw new Error(tooShort);
  }
}

export const tooShort = 'the file ends too early';

/** Red, green and blue of 256 indices: [256, 3]. Indices that a file does not define are shades of gray, as in Pillow. */
export const grayRamp = (): Uint8Array => Uint8Array.from({ length: 3 * 256 }, (_, i) => Math.floor(i / 3));

/** The colors of indices. */
export function colorsOf(indices: Uint8Array, palette: Uint8Array): Uint8Array {
  const data = new Uint8Array(3 * indices.length); // [H, W, 3]
  for (let i = 0, to = 0; i < indices.length; i++, to += 3) {
    const from = 3 * indices[i]!;
    data[to] = palette[from]!;
    data[to + 1] = palette[from + 1]!;
    data[to + 2] = palette[from + 2]!;
  }
  return data;
}
