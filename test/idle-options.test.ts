/** Options that are for a variant are refused beside a saved model, which would ignore them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, run } from './command.ts';

let dir: string;
let model: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-idle-'));
  model = join(dir, 'model.safetensors');
  await json('export', 'resnext11_8x16d_w16', '-o', model);
});
afterAll(() => rmSync(dir, { recursive: true }));

test.each([
  ['bench', '--size', '32'],
  ['summary', '--classes', '4'],
  ['summary', '--shortcut', 'A'],
  ['verify', '--seed', '2'],
])('%s %s', async (command, ...option) => {
  const { code, stderr } = await run(command, model, ...option);
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining(`${option[0]} has no effect here: a saved model has its own`),
  ]);
});
