/** The folders that are suggested for a path that is not one of them. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { suggestFolder } from './near-path.ts';
import { modelFile } from './saved/files.ts';
import { RunFolder } from './train/run-folder.ts';

let runs: string;
beforeAll(() => {
  runs = mkdtempSync(join(tmpdir(), 'resnext-near-'));
  for (const [i, name] of ['demo', 'photos'].entries()) {
    mkdirSync(join(runs, name, 'checkpoints'), { recursive: true });
    for (const file of ['model.safetensors', 'model.json', 'checkpoints/last.safetensors']) {
      writeFileSync(join(runs, name, file), '{}');
    }
    utimesSync(join(runs, name), 100 + i, 100 + i);
  }
  mkdirSync(join(runs, 'empty'));
});
afterAll(() => rmSync(runs, { recursive: true }));

const isRun = (folder: string) => existsSync(join(folder, 'model.json'));

it.each([
  ['', ['photos', 'demo']],
  ['demo/checkpoints', ['demo']],
  ['demo/checkpoints/last.safetensors', ['demo']],
  ['phots', ['photos']],
  ['empty', []],
  ['elsewhere', []],
])('%j: %j', (path, names) => {
  const quoted = names.map((name) => `"${join(runs, name)}"`).join(' or ');
  expect(suggestFolder(join(runs, path), isRun)).toBe(names.length > 0 ? ` Did you mean ${quoted}?` : '');
});

it.each(['', 'demo/checkpoints'])('models and runs in %j', async (path) => {
  const meant = /Did you mean ".*demo"\?$/;
  expect(() => modelFile(join(runs, path))).toThrow(meant);
  await expect(RunFolder.ofRun(join(runs, path))).rejects.toThrow(meant);
});

it('a description stands for the model in its folder', () => {
  expect(modelFile(join(runs, 'demo', 'model.json'))).toBe(join(runs, 'demo', 'model.safetensors'));
});
