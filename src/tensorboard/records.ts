/**
 * TensorFlow's record files: each record is its length (uint64, little-endian), a checksum of the length, the bytes, and a
 * checksum of them. Checksums are CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), rotated and offset, because a
 * checksum of bytes that contain their own checksum tells little.
 */

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C of some bytes: 0xe3069283 for the digits 1 to 9. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The checksum that records contain. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const [headerLength, footerLength] = [12, 4];

/** A record with its length and checksums. */
export function framed(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(headerLength + data.length + footerLength);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, headerLength);
  view.setUint32(headerLength + data.length, maskedCrc(data), true);
  return record;
}

/** A record and where it begins. */
export interface Framed {
  readonly data: Uint8Array;
  readonly start: number;
}

/** The records of a file, up to the first that is damaged, as the last one is if a process was killed. */
export function* records(file: Uint8Array): Generator<Framed, void, undefined> {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let start = 0; start + headerLength <= file.length; ) {
    const length = Number(view.getBigUint64(start, true));
    const end = start + headerLength + length;
    if (end + footerLength > file.length) return;
    const data = file.subarray(start + headerLength, end);
    const isSound =
      view.getUint32(start + 8, true) === maskedCrc(file.subarray(start, start + 8)) &&
      view.getUint32(end, true) === maskedCrc(data);
    if (!isSound) return;
    yield { data, start };
    start = end + footerLength;
  }
}
