/** A short sweep of learning rates on a few images: what it does, what it writes, and what it leaves alone. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findLearningRate, type TrainEvent, train } from 'resnext';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from './command.ts';

const examples = fileURLToPath(new URL('../examples/images/train', import.meta.url));
let dir: string;
let data: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-sweep-'));
  data = join(dir, 'data');
  for (const name of ['frog', 'horse']) {
    mkdirSync(join(data, name), { recursive: true });
    const files = readdirSync(join(examples, name)).sort().slice(0, 12);
    for (const file of files) cpSync(join(examples, name, file), join(data, name, file));
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

const small = { variant: 'resnext11_4x16d_w16', size: 16, batch: 8, threads: 1, workers: 0, validation: 0 } as const;

/** 24 images are three steps: the sweep takes the images of 34 epochs. */
test('a sweep begins as a run does, and goes on over epochs to a suggestion', async () => {
  const events: TrainEvent[] = [];
  const found = await findLearningRate({ ...small, data }, { onEvent: (event) => events.push(event) });
  const steps = events.filter(({ event }) => event === 'sweep');
  expect(steps.length).toBeGreaterThan(50);
  expect(events.at(-1)).toEqual(found);
  expect(found.curve).toHaveLength(steps.length);
  const rates = found.curve.map(({ learningRate }) => learningRate);
  expect(rates[0]).toBe(1e-7);
  for (const [i, rate] of rates.slice(1).entries()) expect(rate / rates[i]!).toBeCloseTo(10 ** 0.08, 10);
  expect(found.usual).toBeCloseTo((0.1 * 8) / 128, 10);
  expect(found.suggested).toBe(found.valley);
  expect(found.suggested).toBeGreaterThan(1e-6);
  expect(found.suggested).toBeLessThan(10);
  const losses: number[] = [];
  await train(
    { ...small, data, out: join(dir, 'run'), epochs: 1 },
    { onEvent: (event) => event.event === 'step' && losses.push(event.loss) },
  );
  expect(found.curve[0]!.loss).toBe(losses[0]);
});

test('the command line shows a curve, writes a chart, and makes no run', async () => {
  const options = ['--variant', small.variant, '--size', '16', '--batch', '8', '--workers', '0'];
  const [out, plot] = [join(dir, 'none'), join(dir, 'rates.svg')];
  const typed = ['train', data, ...options, '--out', out, '--find-lr'];
  const { code, stdout } = await run(...typed, '--plot', plot);
  expect(code).toBe(0);
  expect(stdout).toMatch(/\nSmoothed loss by learning rate\n +\d\.\d+ \|/);
  expect(stdout).toMatch(/\nSuggested: --lr [\d.e-]+, in the middle of the longest fall of the loss\./);
  for (const line of stdout.split('\n')) if (/[|+]/.test(line)) expect(line.length).toBeLessThanOrEqual(80);
  expect(readFileSync(plot, 'utf8')).toMatch(/^<svg .*learning rate.*<\/svg>$/s);
  expect(existsSync(out)).toBe(false);
  const refused = [
    [[...typed, '--plot', 'rates.png'], 'expected a name that ends in .svg'],
    [['train', data, '--plot', plot], '--plot has no effect without --find-lr'],
    [[...typed, '--open'], '--open has no effect with --find-lr'],
    [['train', '--resume', out, '--find-lr'], `use --from ${out}.`],
  ] as const;
  for (const [args, sentence] of refused) {
    expect(await run(...args)).toMatchObject({ code: 1, stderr: expect.stringContaining(sentence) });
  }
});
