/**
 * `features` and `classify -o` on the command line: an interrupted task continues, and its files are those of one that was
 * not interrupted.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run, start } from './command.ts';

const examples = fileURLToPath(new URL('../examples/images/val/frog', import.meta.url));
let dir: string;
let photos: string;
let model: string;

/** Links to a few images, enough for the process to be stopped halfway, and one that cannot be read. */
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-interrupted-'));
  photos = join(dir, 'photos');
  model = join(dir, 'model.onnx');
  mkdirSync(photos);
  const files = readdirSync(examples).slice(0, 5);
  for (let n = 0; n < 600; n++) symlinkSync(join(examples, files[n % 5]!), join(photos, `${1000 + n}.jpg`));
  writeFileSync(join(photos, '1000 bad.png'), 'no image');
  const args = ['resnext11_4x16d_w16', '--classes', '4', '--size', '32', '-o', model];
  expect((await run('export', ...args)).code).toBe(0);
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

/** Stops a command when at least four batches are on disk. Returns its exit code and errors. */
async function stopped(file: string, signal: NodeJS.Signals, ...args: string[]) {
  const { child, ended } = start(...args, '-o', file);
  const journal = join(`${file}.partial`, 'task.jsonl');
  while (!existsSync(journal) || readFileSync(journal, 'utf8').split('\n').length < 6) {
    if (child.exitCode !== null) break;
    await setTimeout(5);
  }
  child.kill(signal);
  return ended;
}

it.each([
  ['features', 'f.npy', ['--batch', '4', '--stages', 'pooled,logits'], 'SIGKILL'],
  ['classify', 'c.csv', ['--batch', '4', '--top', '2'], 'SIGINT'],
] as const)(
  '%s into %s',
  async (command, name, options, signal) => {
    const args = [command, photos, '--model', model, '--workers', '0', ...options];
    const [whole, broken] = [join(dir, `whole-${command}`), join(dir, `broken-${command}`)];
    const reference = await run(...args, '-o', join(whole, name));
    expect(reference).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^warning: Image ".*bad\.png" cannot be read/),
    });

    const { code, stderr } = await stopped(join(broken, name), signal, ...args);
    expect(readdirSync(broken)).toEqual([`${name}.partial`]);
    if (signal === 'SIGINT')
      expect([code, stderr]).toEqual([130, expect.stringMatching(/Stopped after \d+ of 601 images\./)]);
    const continued = await run(...args, '-o', join(broken, name));
    expect(continued.stderr).toMatch(/^warning: Continuing after \d+ images, from ".*\.partial"\.\n/);
    expect([continued.code, continued.stdout]).toEqual([1, reference.stdout.replaceAll(whole, broken)]);
    const files = readdirSync(whole);
    expect(readdirSync(broken)).toEqual(files);
    const same = files.filter((file) => readFileSync(join(broken, file)).equals(readFileSync(join(whole, file))));
    expect(same).toEqual(files);
  },
  120_000,
);

it('a task with other images or another model starts over', async () => {
  const file = join(dir, 'other.jsonl');
  const args = ['classify', photos, '--model', model, '--workers', '0', '--batch', '4'];
  await stopped(file, 'SIGKILL', ...args);
  const copy = join(dir, 'copy.onnx');
  cpSync(model, copy);
  const { stderr } = await run('classify', examples, '--model', copy, '--workers', '0', '-o', file);
  expect(stderr).toMatch(
    /^warning: ".*" has results of \d+ images of another task, which differs in model, images\. They/,
  );
  expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(readdirSync(examples).length);
}, 60_000);
