/** Hashes of files, of git blobs and of files in zip archives; damaged and malicious archives are refused. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { gitHash, sha256 } from '../../test/hub-server.ts';
import { FormatError } from '../errors.ts';
import { crc32 } from '../weights/crc32.ts';
import { type Check, checkFile } from './checksum.ts';

const contents = Buffer.from('weights '.repeat(5000));
const sha1 = createHash('sha1').update(contents).digest('hex');

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-verify-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** A zip archive of these files; `hidden` ones are missing from its directory. */
function zip(method: 0 | 8, ...files: { name: string; data: Uint8Array; hidden?: boolean }[]): Buffer {
  const [locals, directory]: [Buffer[], Buffer[]] = [[], []];
  let end = 0;
  for (const { name, data, hidden } of files) {
    const packed = method === 8 ? deflateRawSync(data) : Buffer.from(data);
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt16LE(method, 4);
    head.writeUInt32LE(crc32(data), 10);
    head.writeUInt32LE(packed.length, 14);
    head.writeUInt32LE(data.length, 18);
    head.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(end, 10);
    locals.push(Buffer.concat([Buffer.from('PK\x03\x04'), head, Buffer.from(name), packed]));
    if (!hidden) directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), head, place, Buffer.from(name)]));
    end += locals.at(-1)!.length;
  }
  const closing = Buffer.alloc(22);
  closing.write('PK\x05\x06');
  for (const at of [8, 10]) closing.writeUInt16LE(directory.length, at);
  closing.writeUInt32LE(Buffer.concat(directory).length, 12);
  closing.writeUInt32LE(end, 16);
  return Buffer.concat([...locals, ...directory, closing]);
}

const weights = { name: 'a.pth', data: contents };

function check(bytes: Uint8Array, kind: Check['kind'], digest: string, limit = 1e6): Promise<void> {
  const path = join(dir, 'file');
  writeFileSync(path, bytes);
  return checkFile(path, { kind, digest }, 'The file', limit);
}

it('accepts files with the expected hash', async () => {
  await check(contents, 'sha256', sha256(contents));
  await check(contents, 'sha256', sha256(contents).slice(0, 8));
  await check(contents, 'git-blob', gitHash(contents));
  await check(zip(8, weights), 'sha1-inside', sha1);
  await check(zip(0, weights), 'sha1-inside', sha1);
});

it('refuses files with another hash', async () => {
  await expect(check(contents, 'sha256', '00000000')).rejects.toThrow(
    `The file is not the expected file: its SHA-256 is ${sha256(contents).slice(0, 8)}, but expected 00000000.`,
  );
  await expect(check(contents, 'git-blob', sha1)).rejects.toThrow('its git hash is');
  await expect(check(zip(8, weights), 'sha1-inside', gitHash(contents))).rejects.toThrow(
    'its SHA-1 of the file inside is',
  );
  await expect(check(contents, 'sha1-inside', sha1)).rejects.toThrow('is not a valid zip archive');
  await expect(check(Buffer.alloc(3), 'sha1-inside', sha1)).rejects.toThrow('is not a valid zip archive');
  await expect(check(zip(8, weights), 'sha1-inside', sha1, 30_000)).rejects.toThrow('a file of more than 30000 bytes');
});

it('checks the same file inside that the weights reader would read', async () => {
  const other = { name: 'b.pth', data: Buffer.from('other '.repeat(5000)) };
  const hash = createHash('sha1').update(other.data).digest('hex');
  for (const files of [
    [{ ...weights, hidden: true }, other],
    [other, { ...weights, hidden: true }],
  ]) {
    await expect(check(zip(8, ...files), 'sha1-inside', sha1)).rejects.toThrow(
      `its SHA-1 of the file inside is ${hash}`,
    );
  }
  await expect(check(zip(8, weights, other), 'sha1-inside', sha1)).rejects.toThrow('with 2 weights files');
});

it('refuses archives that are truncated or changed anywhere with a FormatError', async () => {
  const whole = zip(8, weights);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: whole.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      async (at, change) => {
        await expect(check(whole.subarray(0, at), 'sha1-inside', sha1)).rejects.toThrow(FormatError);
        const changed = Buffer.from(whole);
        changed[at] = changed[at]! ^ change;
        await check(changed, 'sha1-inside', sha1).catch((error: unknown) => expect(error).toBeInstanceOf(FormatError));
      },
    ),
    { numRuns: 60, seed: 1 },
  );
});
