import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchFolder } from './scratch.ts';

test('a scratch folder that a killed process left is deleted after an hour, and no other', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'resnext-scratch-'));
  try {
    const [left, recent] = [await scratchFolder('lowered', dir), await scratchFolder('lowered', dir)];
    writeFileSync(join(left, 'weights'), '');
    mkdirSync(join(dir, 'other'));
    const shapes = await scratchFolder('shapes', dir);
    const past = Date.now() / 1000 - 3700;
    for (const path of [left, join(dir, 'other')]) utimesSync(path, past, past);
    const folder = await scratchFolder('lowered', dir);
    expect(readdirSync(dir).sort()).toEqual([basename(recent), basename(folder), basename(shapes), 'other'].sort());
  } finally {
    rmSync(dir, { recursive: true });
  }
});
