/** Events against those of Python's protobuf, records against TensorFlow's checksums, and what a continued run leaves. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import golden from '../../test/golden/events.json' with { type: 'json' };
import { EventFiles, removeEventFiles } from './event-files.ts';
import { readEvent, startEvent, summaryEvent, versionEvent } from './events.ts';
import { crc32c, framed, maskedCrc, records } from './records.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

it('events are the bytes that protobuf writes', () => {
  const image = Uint8Array.from({ length: 200 }, (_, i) => i);
  expect({
    version: hex(versionEvent(1764454321.25)),
    start: hex(startEvent(1.5, 129)),
    scalars: hex(
      summaryEvent(2, 5e9, [
        { tag: 'train/loss', scalar: 0.1 },
        { tag: 'größe', scalar: -2.5 },
      ]),
    ),
    image: hex(summaryEvent(2, 1, [{ tag: 'val/wrong', image, width: 2, height: 300 }])),
  }).toEqual(golden);
});

it.each([
  ['version', 0, []],
  ['start', 129, []],
  ['scalars', 5e9, ['train/loss', 'größe']],
  ['image', 1, ['val/wrong']],
] as const)('reads the step and the tags of %s', (name, step, tags) => {
  expect(readEvent(Buffer.from(golden[name], 'hex'))).toEqual({ step, tags });
});

it('checksums are those of TensorFlow', () => {
  expect(crc32c(Buffer.from('123456789')).toString(16)).toBe('e3069283');
  const record = framed(versionEvent(0));
  expect(hex(record.subarray(0, 12))).toBe('1800000000000000a37f4b22'); // as every event file begins
  expect(new DataView(record.buffer).getUint32(12 + 24, true)).toBe(maskedCrc(versionEvent(0)));
});

it('reads records up to the first that is cut or damaged', () => {
  const parts = [1, 2, 3].map((step) => framed(startEvent(0, step)));
  const whole = Buffer.concat(parts);
  const steps = (file: Uint8Array) => Array.from(records(file), ({ data }) => readEvent(data).step);
  expect(steps(whole)).toEqual([1, 2, 3]);
  expect(steps(whole.subarray(0, -1))).toEqual([1, 2]);
  whole[parts[0]!.length + 14]! ^= 1;
  expect(steps(whole)).toEqual([1]);
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-events-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const files = () => readdirSync(folder).sort();
const readFolder = () =>
  files().map((name) => Array.from(records(readFileSync(join(folder, name))), ({ data }) => readEvent(data).step));

it('a session that continues cuts what comes after its beginning, also half a record, and begins a file', async () => {
  const first = await EventFiles.open(folder, { steps: 0, keeps: () => true });
  for (const step of [1, 2, 3, 4]) await first.add(step, [{ tag: 'train/loss', scalar: 1 }]);
  await first.flush();
  appendFileSync(join(folder, files()[0]!), framed(startEvent(0, 5)).subarray(0, 20));
  expect(readFolder()).toEqual([[0, 1, 2, 3, 4]]);

  const second = await EventFiles.open(folder, { steps: 2, keeps: ({ step }) => step <= 2 });
  await second.add(3, [{ tag: 'train/loss', scalar: 1 }]);
  await second.flush();
  expect(readFolder()).toEqual([
    [0, 1, 2],
    [0, 3, 3],
  ]); // the start says "from step 3 on"
  expect(files()).toEqual(
    [...new Set(files())].filter((name) => /^events\.out\.tfevents\.\d{10}\.resnext$/.test(name)),
  );
  await removeEventFiles(folder);
  expect(() => readdirSync(folder)).toThrow('ENOENT');
});
