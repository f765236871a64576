/** Hashes of files, of git's blobs and of what zips hold; broken and hostile zips are refused with a sentence. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { gitHash, sha256 } from '../../test/hub-server.ts';
import { FormatError } from '../errors.ts';
import { type Check, verify } from './verify.ts';

const contents = Buffer.from('weights '.repeat(5000));
const sha1 = createHash('sha1').update(contents).digest('hex');

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-verify-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The start of a zip, as far as it is read: one local file, and what follows it. */
function zip(method: 0 | 8): Buffer {
  const data = method === 8 ? deflateRawSync(contents) : contents;
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(method, 8);
  header.writeUInt32LE(data.length, 18);
  header.writeUInt16LE('a.pth'.length, 26);
  return Buffer.concat([header, Buffer.from('a.pth'), data, Buffer.from('PK\u0001\u0002 the directory')]);
}

function check(bytes: Uint8Array, kind: Check['kind'], digest: string, limit = 1e6): Promise<void> {
  const path = join(dir, 'file');
  writeFileSync(path, bytes);
  return verify(path, { kind, digest }, 'The file', limit);
}

it('takes what is as promised', async () => {
  await check(contents, 'sha256', sha256(contents));
  await check(contents, 'sha256', sha256(contents).slice(0, 8));
  await check(contents, 'git-blob', gitHash(contents));
  await check(zip(8), 'sha1-inside', sha1);
  await check(zip(0), 'sha1-inside', sha1);
});

it('refuses what is not', async () => {
  await expect(check(contents, 'sha256', '00000000')).rejects.toThrow(
    `The file is not what was promised: its SHA-256 is ${sha256(contents).slice(0, 8)}, but should be 00000000.`,
  );
  await expect(check(contents, 'git-blob', sha1)).rejects.toThrow('its git hash is');
  await expect(check(zip(8), 'sha1-inside', gitHash(contents))).rejects.toThrow('its SHA-1 inside is');
  await expect(check(contents, 'sha1-inside', sha1)).rejects.toThrow('is not a zip that starts with a file');
  await expect(check(Buffer.alloc(3), 'sha1-inside', sha1)).rejects.toThrow('is not a zip');
  await expect(check(zip(8), 'sha1-inside', sha1, 30_000)).rejects.toThrow('a file of more than 30000 bytes');
});

it('refuses zips cut off or changed anywhere, with a FormatError', async () => {
  const whole = zip(8);
  const data = 35 + deflateRawSync(contents).length;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: data - 1 }), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      await expect(check(whole.subarray(0, at), 'sha1-inside', sha1)).rejects.toThrow(FormatError);
      const changed = Buffer.from(whole);
      changed[at] = changed[at]! ^ change;
      await check(changed, 'sha1-inside', sha1).catch((error: unknown) => expect(error).toBeInstanceOf(FormatError));
    }),
    { numRuns: 60, seed: 1 },
  );
});
