/** Where the command line writes and prints: files, links, devices and pipes, and what happens when that is not possible. */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportSmall, run } from './command.ts';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const examples = fileURLToPath(new URL('../examples/images/val', import.meta.url));
const drawing = ['draw', '--grouped', '2,2,1'];
const smallRun = '--variant resnext11_4x16d_w16 --size 16 --epochs 1 --batch 8 --workers 0'.split(' ');
let dir: string;
let model: string;
let images: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-output-'));
  model = join(dir, 'model.onnx');
  images = join(dir, 'images');
  for (const name of readdirSync(examples).slice(0, 2)) {
    const files = readdirSync(join(examples, name)).slice(0, 20);
    for (const file of files) cpSync(join(examples, name, file), join(images, name, file));
  }
  await exportSmall(model);
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true }));

/** Runs a command with standard output opened here; its errors and exit code. */
function printingTo(path: string, flags: string, ...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', openSync(path, flags), 'pipe'],
  });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
}

/** Runs a command whose reader closes standard output at the first bytes. */
function readBriefly(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, NO_COLOR: '1' } });
  let stderr = '';
  child.stdout.once('data', () => child.stdout.destroy());
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
}

describe('files to write', () => {
  it('are refused before the work', async () => {
    const file = join(model, 'x');
    const commands = [
      ['evaluate', images, '--model', 'no/model.onnx', '--report', file],
      ['classify', images, '--model', 'no/model.onnx', '--format', 'csv', '-o', dir],
      ['verify', 'no/model.onnx', '--report', dir],
      ['optimize', 'no/model.onnx', '-o', file],
      ['export', 'no/model.onnx', '--format', 'onnx', '-o', dir],
    ];
    for (const { code, stdout, stderr } of await Promise.all(commands.map((args) => run(...args)))) {
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^error: Cannot write ".*": (it is a folder|part of the path is a file) \(\w+\)\.\n$/);
    }
  }, 120_000);

  it('get their folders, and are written through links', async () => {
    const [link, target] = [join(dir, 'link.svg'), join(dir, 'not', 'yet', 'there.svg')];
    symlinkSync(target, link);
    expect((await run(...drawing, '-o', link)).code).toBe(0);
    expect(readFileSync(target, 'utf8')).toMatch(/^<svg/);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it.skipIf(process.platform === 'win32')('may be standard output, which then has nothing else', async () => {
    const [{ stdout: plain }, piped] = await Promise.all([run(...drawing), run(...drawing, '-o', '/dev/stdout')]);
    expect(piped).toEqual({ code: 0, stdout: plain, stderr: 'Wrote /dev/stdout.\n' });
    const log = join(dir, 'log');
    writeFileSync(log, 'before\n');
    expect((await printingTo(log, 'a', ...drawing, '-o', '/dev/stdout')).code).toBe(0);
    expect(readFileSync(log, 'utf8')).toBe(`before\n${plain}`);
    const large = ['classify', ...Array.from({ length: 40 }, () => images), '--model', model, '--format', 'csv'];
    expect((await readBriefly(...large, '-o', '/dev/stdout')).code).toBe(0);
  });
});

describe('standard output', () => {
  it.runIf(existsSync('/dev/full'))(
    'on a full disk is an error in one sentence',
    async () => {
      const message = 'Cannot write to standard output: the disk is full (ENOSPC).';
      for (const args of [['list', '--json'], ['summary', model], drawing]) {
        expect(await printingTo('/dev/full', 'w', ...args)).toEqual({ code: 1, stderr: `error: ${message}\n` });
      }
      const out = join(dir, 'full');
      const { code, stderr } = await printingTo('/dev/full', 'w', 'train', images, ...smallRun, '--out', out);
      expect([code, stderr]).toEqual([0, expect.stringContaining(`warning: ${message} The run goes on.\n`)]);
      expect(stderr).not.toContain('    at ');
      expect(readFileSync(join(out, 'metrics.jsonl'), 'utf8')).toMatch(/"epoch":1/);
    },
    120_000,
  );

  it('whose reader has ended ends help quietly', async () => {
    const child = spawn(process.execPath, [main, 'train', '--help']);
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([code, stderr]).toEqual([0, '']);
  });

  it('whose reader has ended ends a command quietly, but not a run', async () => {
    const photos = ['classify', images, '--model', model, '--format', 'jsonl', '--batch', '8'];
    expect(await readBriefly(...photos)).toEqual({ code: 0, stderr: '' });
    const out = join(dir, 'closed');
    const { code, stderr } = await readBriefly('train', images, ...smallRun, '--json', '--out', out);
    expect([code, stderr]).toEqual([0, expect.stringContaining('its reader has ended (EPIPE). The run goes on.')]);
    expect(existsSync(join(out, 'model.safetensors'))).toBe(true);
  }, 120_000);
});
