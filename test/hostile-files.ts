/** Builds malicious files, and valid ones in the same containers: the bytes of zip archives, pickles and headers. */
import { deflateRawSync } from 'node:zlib';
import { joinBytes } from '../src/tensor.ts';
import { crc32 } from '../src/weights/crc32.ts';
import { goldenBytes } from './weight-files.ts';

/** Text, with one byte per character, and numbers as bytes. */
export const raw = (...parts: readonly (string | number | Uint8Array)[]): Uint8Array<ArrayBuffer> =>
  joinBytes(
    parts.map((part) =>
      part instanceof Uint8Array
        ? part
        : typeof part === 'number'
          ? Uint8Array.of(part)
          : Uint8Array.from(part, (char) => char.charCodeAt(0)),
    ),
  );

export const uint = (value: number, length: 2 | 4): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => Math.floor(value / 256 ** i) % 256);

export interface Entry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly deflate?: boolean;
  /** False sizes and offset for the directory. */
  readonly size?: number;
  readonly offset?: number;
  readonly checksum?: number;
}

/** A zip archive with these entries. */
export function zip(...entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  const locals: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let end = 0;
  for (const { name, data, deflate, size, offset, checksum } of entries) {
    const packed = deflate ? deflateRawSync(data) : data;
    const sizes = raw(uint(size === undefined || deflate ? packed.length : size, 4), uint(size ?? data.length, 4));
    const head = raw(
      uint(deflate ? 8 : 0, 2),
      uint(0, 4),
      uint(checksum ?? crc32(data), 4),
      sizes,
      uint(name.length, 2),
    );
    locals.push(raw('PK\x03\x04', uint(20, 2), uint(0, 2), head, uint(0, 2), name, packed));
    const place = raw(uint(0, 2), uint(0, 4), uint(0, 4), uint(offset ?? end, 4));
    directory.push(raw('PK\x01\x02', uint(20, 2), uint(20, 2), uint(0, 2), head, uint(0, 2), place, name));
    end += locals.at(-1)!.length;
  }
  const central = joinBytes(directory);
  const count = raw(uint(entries.length, 2), uint(entries.length, 2));
  return raw(...locals, central, 'PK\x05\x06', uint(0, 4), count, uint(central.length, 4), uint(end, 4), uint(0, 2));
}

/** A `.pth` file with this pickle (protocol 2) and one storage. */
export const pth = (pickle: Uint8Array | string, storage = new Uint8Array(16)): Uint8Array<ArrayBuffer> =>
  zip({ name: 'a/data.pkl', data: raw('\x80\x02', pickle) }, { name: 'a/data/0', data: storage });

export const text = (value: string): Uint8Array => raw('X', uint(value.length, 4), value);
export const int = (value: number): Uint8Array => raw('J', uint(value, 4));
export const ints = (...values: readonly number[]): Uint8Array => raw('(', ...values.map(int), 't');
export const storage = (length: number, type = 'FloatStorage', key = '0'): Uint8Array =>
  raw('(', text('storage'), `ctorch\n${type}\n`, text(key), text('cpu'), int(length), 'tQ');

/** A dict with one tensor, from the arguments of its constructor. */
export const tensorDict = (place: Uint8Array, offset: number, dims: Uint8Array, strides: Uint8Array): Uint8Array =>
  raw('}', text('w'), 'ctorch._utils\n_rebuild_tensor_v2\n(', place, int(offset), dims, strides, '\x89}tRs.');

/** The header of PyTorch's older container, before its object. */
export function streamHeader(): Uint8Array {
  const legacy = goldenBytes('legacy.pth');
  return legacy.subarray(0, String.fromCharCode(...legacy).indexOf('\x80\x02', 60));
}

/** A file in the older container with this pickle (protocol 2) and one float storage with the key "0". */
export const streamed = (pickle: Uint8Array | string, data: Uint8Array): Uint8Array<ArrayBuffer> => {
  const length = data.length / 4;
  return raw(streamHeader(), '\x80\x02', pickle, '\x80\x02]', text('0'), 'a.', uint(length, 4), uint(0, 4), data);
};

/** A safetensors file with this header, which may declare a false length. */
export const safetensorsFile = (header: string | Uint8Array, data: Uint8Array, claimed = header.length): Uint8Array =>
  raw(uint(claimed, 4), uint(0, 4), header, data);
