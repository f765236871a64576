/** `--show`: what classify and train draw in a terminal. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify, stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { truthOf } from '../src/cli/shown.ts';
import { run } from './command.ts';

const unseen = fileURLToPath(new URL('../examples/images/unseen', import.meta.url));
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const classes = ['airplane', 'automobile', 'frog', 'horse'];
let dir: string;
let model: string;

/** Two images of each class to train on, and one to validate on; and a run of an epoch. */
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-show-'));
  for (const name of classes) {
    for (const [part, numbers] of [
      ['train', [1, 2]],
      ['val', [3]],
    ] as const) {
      const folder = join(dir, 'images', part, name);
      mkdirSync(folder, { recursive: true });
      for (const k of numbers) copyFileSync(join(unseen, `${name}-${k}.jpg`), join(folder, `${k}.jpg`));
    }
  }
  model = join(dir, 'run');
  const small = ['--variant', 'resnext11_4x16d_w16', '--epochs', '1', '--batch', '8', '--replicas', '1'];
  expect(await run('train', join(dir, 'images'), ...small, '--out', model)).toMatchObject({ code: 0 });
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

const show = (...args: string[]) => run('classify', ...args, '--model', model, '--show');

/** The output for a terminal with 24-bit color that is 80 columns wide. */
async function drawn(...args: string[]): Promise<string> {
  const { NO_COLOR: _, ...env } = process.env;
  const colored = { ...env, FORCE_COLOR: '3' };
  return (await promisify(execFile)(process.execPath, [main, ...args], { env: colored })).stdout;
}

describe('classify --show', () => {
  it('draws images side by side, with the classes that classify prints', async () => {
    const text = await drawn('classify', unseen, '--model', model, '--show', '--top', '2');
    expect(text).toContain('\u001b[38;2;');
    const lines = stripVTControlCharacters(text).split('\n');
    expect(lines.filter((line) => line === Array(3).fill('▀'.repeat(24)).join('  '))).toHaveLength(4 * 12);
    const { stdout } = await run('classify', unseen, '--model', model, '--format', 'csv', '--top', '1');
    const best = stdout
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(','));
    const first = best
      .slice(0, 3)
      .map(([, , label, p]) => `${label!.padEnd(18)}${`${(100 * Number(p)).toFixed(0)} %`.padStart(6)}`);
    expect(lines[13]).toBe(first.join('  '));
    const right = best.filter(([path, , label]) => path!.includes(`/${label}-`)).length;
    expect(lines.at(-2)).toBe(`${right} of 12 right.`);
  });

  it('is a list of names and bars without colors, and says nothing of right and wrong where it cannot know', async () => {
    copyFileSync(join(unseen, 'frog-1.jpg'), join(dir, 'photo.jpg'));
    const { code, stdout, stderr } = await show(join(dir, 'photo.jpg'), '--top', '1');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^ {2}photo\.jpg +\w+ +[█▏▎▍▌▋▊▉]+ +\d+ %\n$/);
  });

  it('an image that cannot be read is reported, and the others are shown', async () => {
    const broken = join(dir, 'broken.jpg');
    writeFileSync(broken, 'no image');
    const { code, stdout, stderr } = await show(broken, join(unseen, 'frog-1.jpg'), '--top', '1');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^warning: .*broken\.jpg.*\n$/);
    expect(stdout.split('\n')).toHaveLength(3);
    expect((await show(broken)).stderr).toMatch(/^error: /);
  });

  it('reads standard input once', async () => {
    const child = execFile(process.execPath, [main, 'classify', '-', '--model', model, '--show', '--top', '1']);
    child.stdin!.end(readFileSync(join(unseen, 'frog-1.jpg')));
    let text = '';
    child.stdout!.on('data', (part) => {
      text += part;
    });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(text).toMatch(/^ {2}- +\w+ .* %\n$/);
  });

  it.each([
    [['--json'], '--json'],
    [['--format', 'csv'], '--format csv'],
    [['-o', 'results.txt'], '--output'],
  ])('is refused with %s', async (args, named) => {
    const { code, stderr } = await show(unseen, ...args);
    expect([code, stderr]).toEqual([
      1,
      `error: --show draws in the terminal, and cannot be combined with ${named}. Remove one of them.\n`,
    ]);
    expect(readdirSync('.')).not.toContain('results.txt');
  });

  it.each([
    ['photos/frog/1.jpg', 'frog'],
    ['photos/frog.jpg', 'frog'],
    ['photos/frog-12.jpg', 'frog'],
    ['frog_3.png', 'frog'],
    ['https://example.org/frog/1.jpg', 'frog'],
    ['photos/frogs/1.jpg', undefined],
    ['photos/treefrog.jpg', undefined],
    ['-', undefined],
  ])('%s is known to be %s', (path, truth) => expect(truthOf(path, ['frog', 'horse'])).toBe(truth));
});

describe('train --show', () => {
  it('draws all epochs of the run, also those before it was resumed', async () => {
    const { stdout } = await run('train', '--resume', model, '--epochs', '3', '--show');
    expect(stdout).toMatch(/\nDone: .*\n\nTop-1 by epoch\n( *\d+ % ┤.*\n)/);
    expect(stdout).toMatch(/ validation \d+\.\d %\n.* epoch 1 +3\n$/s);
    expect(stdout).not.toContain('training '); // two curves need colors
    const colored = await drawn('train', '--resume', model, '--epochs', '4', '--show');
    expect(stripVTControlCharacters(colored)).toMatch(/ training \d+\.\d %\n/);
  });

  it('prints only JSON with --json', async () => {
    const { stdout } = await run('train', '--resume', model, '--epochs', '5', '--show', '--json');
    for (const line of stdout.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('event');
  });

  it('is refused with --find-lr', async () => {
    const { code, stderr } = await run('train', join(dir, 'images'), '--find-lr', '--show');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: --show has no effect with --find-lr/)]);
  });
});
