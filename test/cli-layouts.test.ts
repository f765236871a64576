/** The command line with weights in other code bases' naming schemes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSafetensorsFile, writeSafetensorsFile } from '../src/weights/files.ts';
import { json, run } from './command.ts';
import { sameBits } from './tensors.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'layouts-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a variant is exported in other naming schemes and restored', async () => {
  const [plain, theirs, bare, back] = ['plain', 'theirs', 'bare', 'back'].map((name) =>
    join(folder, `${name}.safetensors`),
  );
  await json('export', 'resnext11_8x16d_w16', '-o', plain!);
  const written = await json<object>('export', plain!, '-o', theirs!, '--layout', 'prlz77');
  expect(written).toMatchObject({ file: theirs, format: 'safetensors', variant: 'resnext11_8x16d_w16' });
  const { tensors } = await readSafetensorsFile(theirs!);
  expect(tensors.get('stage_2.stage_2_bottleneck_0.conv_conv.weight')!.dims).toEqual([64, 8, 3, 3]);

  await writeSafetensorsFile(bare!, tensors); // without this package's description
  await json('export', bare!, '-o', back!);
  const [before, after] = [await readSafetensorsFile(plain!), await readSafetensorsFile(back!)];
  expect([...after.tensors.keys()]).toEqual([...before.tensors.keys()]);
  for (const [name, whole] of before.tensors) expect(sameBits(after.tensors.get(name)!, whole), name).toBe(true);
});

test.each([
  [['-o', 'x.onnx', '--layout', 'timm'], '--layout has no effect here: an ONNX file has no naming scheme. Remove it.'],
  [['-o', 'x.safetensors', '--softmax'], '--softmax has no effect here: a file of weights has no graph. Remove it.'],
  [['-o', 'x.safetensors', '--layout', 'timm'], 'timm has no network like resnext11_8x16d_w16.'],
  [['-o', 'x.safetensors', '--layout', 'mmpretrain'], 'mmpretrain has no names for a network with stem "cifar"'],
])('export %j is refused', async (options, message) => {
  const { code, stderr } = await run('export', 'resnext11_8x16d_w16', ...options);
  expect(code).toBe(1);
  expect(stderr).toContain(message);
});
