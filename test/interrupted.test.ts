/**
 * `features`, `classify -o` and `train` on the command line: what was interrupted continues, and its files are those of a
 * task that was not interrupted. `npm run test:kill` kills training more often.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportSmall, linkImages, run, start } from './command.ts';
import { seeded } from './tensors.ts';

const examples = fileURLToPath(new URL('../examples/images/val/frog', import.meta.url));
let dir: string;
let photos: string;
let model: string;

/** Links to a few images, enough for the process to be stopped halfway, and one that cannot be read. */
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-interrupted-'));
  photos = join(dir, 'photos');
  model = join(dir, 'model.onnx');
  const files = readdirSync(examples).slice(0, 5);
  linkImages(
    photos,
    files.map((file) => join(examples, file)),
    600,
    1000,
  );
  writeFileSync(join(photos, '1000 bad.png'), 'no image');
  await exportSmall(model);
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

/** Everything that is random or remembered from step to step. */
const recipe = [
  ...['--variant', 'resnext11_4x16d_w16', '--size', '16', '--epochs', '3', '--batch', '8', '--accumulate', '2'],
  ...['--optimizer', 'adamw', '--warmup', '1', '--clip-norm', '1', '--loss', 'binary-cross-entropy'],
  ...['--average-decay', '0.9', '--average-every', '2', '--average-warmup', '--drop-path', '0.2', '--dropout', '0.2'],
  ...['--mixup', '0.4', '--cutmix', '1', '--mix-epochs', '2', '--augmentation', 'rand-augment', '--erasing', '0.3'],
  ...['--repeats', '2', '--sampling', 'balanced', '--best-by', 'loss', '--fold', '2/4', '--train-size', '12,16'],
];
/** Checkpoints after each step: the moments differ from one machine to another, and each process gets on. */
const settings = ['--threads', '1', '--workers', '1', '--cache', '16', '--checkpoint-every', '0'];

/** Steps done, by the last checkpoint. */
function stepsIn(out: string): number {
  const path = join(out, 'checkpoints/last.safetensors');
  if (!existsSync(path)) return 0;
  const file = readFileSync(path);
  const header = JSON.parse(file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE())));
  return JSON.parse(header.__metadata__.progress).steps;
}

/** The files of a run by name; those of metrics without what depends on the session. `run.json` lists the sessions. */
function filesOf(out: string): Map<string, string> {
  const names = readdirSync(out, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== 'run.json' && statSync(join(out, name)).isFile())
    .sort();
  return new Map(
    names.map((name) => {
      const text = readFileSync(join(out, name), 'latin1');
      return [name, name === 'metrics.jsonl' ? text.replaceAll(/"(seconds|images)":[\d.e-]+/g, '') : text];
    }),
  );
}

const kills = Number(process.env.RESNEXT_KILLS ?? 1);

it('training that is killed at random moments ends with the same bytes', async () => {
  const data = join(dir, 'data');
  for (const name of ['frog', 'horse']) {
    mkdirSync(join(data, name), { recursive: true });
    const files = join(examples, '..', name);
    for (const file of readdirSync(files).slice(0, 32)) symlinkSync(join(files, file), join(data, name, file));
  }
  const out = join(dir, 'run');
  expect(await run('train', data, '--out', out, ...recipe, ...settings)).toMatchObject({ code: 0, stderr: '' });
  const [whole, total] = [filesOf(out), stepsIn(out)];
  expect([...whole.keys()]).toContain('checkpoints/best.safetensors');
  expect(total).toBe(18);
  renameSync(out, join(dir, 'whole'));

  const random = seeded(kills);
  const moments = Array.from({ length: kills }, () => random.integer(1, total - 6)).sort((a, b) => a - b);
  for (const [k, moment] of moments.entries()) {
    const args = k === 0 ? [data, '--out', out, ...recipe] : ['--resume', out];
    const { child, ended } = start('train', ...args, ...settings);
    while (child.exitCode === null && stepsIn(out) < moment) await setTimeout(2);
    await setTimeout(random.number(0, 30)); // within a step, or while a file is written
    child.kill('SIGKILL');
    await ended;
  }
  expect(stepsIn(out)).toBeLessThan(total);
  expect(await run('train', '--resume', out, ...settings)).toMatchObject({ code: 0 });
  const files = filesOf(out);
  expect([...files.keys()]).toEqual([...whole.keys()]);
  expect([...whole].filter(([name, contents]) => files.get(name) !== contents).map(([name]) => name)).toEqual([]);
}, 300_000);
