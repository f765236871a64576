/**
 * Detects whether a file has changed, in a millisecond (hashing 100 MB takes 70). The file system updates a file's
 * change time on every write, even if a program resets its modification time, and a replacement has another inode
 * number. So size, times and inode identify a version. Samples of the contents are also hashed, for file systems with
 * less precise times: after training, almost all weights differ.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { readable } from '../files.ts';

const samples = 64;
const sampleBytes = 4096;

/** A file's fingerprint, which changes whenever the file is modified or replaced. Throws the errors of `fs` and `readable`. */
export function fingerprint(path: string): string {
  const descriptor = openSync(readable(path), 'r');
  try {
    const { size, mtimeNs, ctimeNs, ino } = fstatSync(descriptor, { bigint: true });
    const hash = createHash('sha256').update([size, mtimeNs, ctimeNs, ino].join());
    const buffer = new Uint8Array(sampleBytes);
    const last = Math.max(0, Number(size) - sampleBytes);
    for (let i = 0; i < samples; i++) {
      const count = readSync(descriptor, buffer, 0, sampleBytes, Math.floor((last * i) / (samples - 1)));
      hash.update(buffer.subarray(0, count));
    }
    return hash.digest('hex');
  } finally {
    closeSync(descriptor);
  }
}
