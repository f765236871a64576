/** The event files of a run that is interrupted within an epoch, resumed, and resumed again for more epochs. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readEvent } from '../tensorboard/events.ts';
import { records } from '../tensorboard/records.ts';
import type { TrainEvent } from './events.ts';
import { resume, train } from './run.ts';

const examples = fileURLToPath(new URL('../../examples/images/val', import.meta.url));
let dir: string;
let out: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-tensorboard-'));
  out = join(dir, 'run');
  for (const part of ['train', 'val']) {
    for (const name of ['frog', 'horse']) {
      const filter = (path: string) => !/[^05]\.jpg$/.test(path);
      cpSync(join(examples, name), join(dir, 'images', part, name), { recursive: true, filter });
    }
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

const eventFiles = () => readdirSync(join(out, 'tensorboard')).sort();

/** `step tag` of every value, in the order of the files. */
const logged = (): string[] =>
  eventFiles().flatMap((name) =>
    [...records(readFileSync(join(out, 'tensorboard', name)))].flatMap(({ data }) => {
      const { step, tags } = readEvent(data);
      return tags.map((tag) => `${step} ${tag}`);
    }),
  );

const ofStep = ['train/loss', 'train/lr'];
const ofEpoch = [
  ...['epoch', 'train/top1', 'val/loss', 'val/top1', 'val/top5', 'val/balanced_accuracy', 'val/macro_f1'],
  ...['val/confusion', 'val/wrong'],
];
/** Epochs of three steps. */
const expected = (epochs: number): string[] =>
  Array.from({ length: 3 * epochs }, (_, i) => i + 1).flatMap((step) =>
    [...ofStep, ...(step % 3 === 0 ? ofEpoch : [])].map((tag) => `${step} ${tag}`),
  );

it('has every step and epoch once, in order', async () => {
  const stop = new AbortController();
  const onEvent = (event: TrainEvent) => {
    if (event.event === 'step' && event.epoch === 2 && event.step === 2) stop.abort();
  };
  const network = { variant: 'resnext11_4x16d_w16', size: 16, batch: 6, threads: 1, workers: 0 };
  const options = { data: join(dir, 'images'), out, epochs: 2, tensorboard: true, ...network };
  const first = await train(options, { onEvent, signal: stop.signal });
  expect([first.interrupted, logged()]).toEqual([true, expected(2).filter((line) => Number.parseInt(line, 10) <= 5)]);
  await resume(out, { tensorboard: true, threads: 1, workers: 0 });
  expect(logged()).toEqual(expected(2));
  await resume(out, { epochs: 3, tensorboard: true, threads: 1, workers: 0 });
  expect(logged()).toEqual(expected(3));
  expect(eventFiles()).toHaveLength(3);

  await train({ ...options, epochs: 1, tensorboard: false, overwrite: true });
  expect(existsSync(join(out, 'tensorboard'))).toBe(false);
}, 60_000);
