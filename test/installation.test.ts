/** The command line where Node is too old, and where packages beside this one are not installed. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { install, root } from './installed.ts';

const { engines, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-installation-'));
});
afterAll(() => rmSync(dir, { recursive: true }), 60_000);

const run = (...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', RESNEXT_CACHE: 'off' };
    execFile(process.execPath, args, { env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });

it.each([
  ['12.22.12', false],
  ['20.18.3', false],
  ['20.19.0', true],
])('runs in Node %s: %s', async (version, runs) => {
  const pretend = join(dir, 'pretend.cjs');
  writeFileSync(
    pretend,
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`,
  );
  const { code, stderr } = await run('--require', pretend, join(root, bin.resnext), '--version');
  expect(code).toBe(runs ? 0 : 1);
  expect(stderr).toBe(
    runs
      ? ''
      : `error: resnext needs Node ${engines.node.slice(2)} or newer, but this is Node ${version}. Install a newer one, for example from https://nodejs.org.\n`,
  );
});

it('has an entry that Node 12 can parse', () => {
  const code = readFileSync(join(root, bin.resnext), 'utf8').replaceAll(/\/\*.*?\*\//gs, '');
  expect(code).not.toMatch(/^import |\bawait\b|\?\?|\?\.|\|\|=|&&=|#\w|\bstatic\b|'node:/m);
});

it('names all missing packages, and how to install them in a project, globally and for npx', async () => {
  let folder = join(dir, 'project');
  install(folder, ['onnxruntime-node', 'sharp']);
  for (const [name, command] of [
    ['project', 'npm install onnxruntime-node sharp'],
    ['lib', 'npm install --global onnxruntime-node sharp'],
    ['_npx', 'npm install resnext onnxruntime-node sharp'],
  ] as const) {
    renameSync(folder, join(dir, name));
    folder = join(dir, name);
    const main = join(folder, 'node_modules/resnext', bin.resnext);
    const { code, stderr } = await run(main, 'bench', 'resnext11_8x16d_w16', '--runs', '1');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `error: The packages onnxruntime-node and sharp are not installed. Run \`${command}\`.\n`,
    });
  }
});
