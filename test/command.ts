/** Runs the built command line as a child process, and makes what it works on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** Without lines of progress, which appear only where a command takes more than ten seconds. */
  readonly stderr: string;
}

export function start(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const { FORCE_COLOR: _, ...env } = process.env;
  const child = spawn(process.execPath, [main, ...args], { env: { ...env, NO_COLOR: '1' } });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text;
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject).on('close', (code) => {
      resolve({ code, stdout: printed.stdout, stderr: printed.stderr.replace(/^ *\d+ % .*\n/gm, '') });
    });
  });
  return { child, ended };
}

export const run = (...args: string[]): Promise<Ended> => start(...args).ended;

/** Exports a small network with random weights, for four classes and images of 32 x 32 unless given otherwise. */
export async function exportSmall(file: string, size = 32): Promise<void> {
  const args = ['resnext11_4x16d_w16', '--classes', '4', '--size', `${size}`, '-o', file];
  expect((await run('export', ...args)).code).toBe(0);
}

/** Makes a folder of images, `first`.jpg and so on, which are links to a few files in turn. */
export function linkImages(folder: string, files: readonly string[], count: number, first: number): void {
  mkdirSync(folder);
  for (let n = 0; n < count; n++) symlinkSync(files[n % files.length]!, join(folder, `${first + n}.jpg`));
}

/** The output of a successful command, parsed as JSON. */
export async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await run(...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}
