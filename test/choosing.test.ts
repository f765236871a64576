/** A run that names no network: it is chosen by the images, and what is given always wins. Uneven classes are pointed out. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type TrainEvent, type TrainOptions, train } from 'resnext';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from './command.ts';

const examples = fileURLToPath(new URL('../examples/images', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'resnext-choosing-'));
const [even, uneven] = [join(dir, 'even'), join(dir, 'uneven')];

/** A folder with this number of frogs and horses to train on, and two of each to validate on. */
function folderOf(data: string, frogs: number, horses: number): void {
  for (const [part, name, count] of [
    ['train', 'frog', frogs],
    ['train', 'horse', horses],
    ['val', 'frog', 2],
    ['val', 'horse', 2],
  ] as const) {
    const [from, to] = [join(examples, part, name), join(data, part, name)];
    mkdirSync(to, { recursive: true });
    for (const file of readdirSync(from).sort().slice(0, count)) cpSync(join(from, file), join(to, file));
  }
}

beforeAll(() => {
  folderOf(even, 6, 6);
  folderOf(uneven, 40, 3);
});
afterAll(() => rmSync(dir, { recursive: true }));

type Start = Extract<TrainEvent, { readonly event: 'start' }>;

let runs = 0;
async function startOf(given: Partial<TrainOptions>): Promise<Start> {
  const started: Start[] = [];
  const out = join(dir, `run-${runs++}`);
  const onEvent = (event: TrainEvent) => {
    if (event.event === 'start') started.push(event);
  };
  await train({ data: even, out, epochs: 1, batch: 4, workers: 0, ...given }, { onEvent });
  return started[0]!;
}

it('a network for few small images is small, and what is given stays', async () => {
  const { choice, variant, epochs, train, trainPerClass } = await startOf({});
  expect(choice).toMatchObject({ variant, size: 32, epochs: 1, imageSize: [32, 32] });
  expect(variant).toMatch(/^resnext(11|20)_8x16d_w16$/);
  expect(choice!.seconds).toBeCloseTo((12 + 4 / 3) / choice!.imagesPerSecond, 6);
  expect(choice!.pretrained).toBeUndefined(); // for photos
  expect([epochs, train, trainPerClass]).toEqual([1, 12, [6, 6]]);
  expect((await startOf({ variant: 'resnext11_4x16d_w16', size: 16 })).choice).toBeUndefined();
}, 60_000);

it('says what was chosen, how to choose otherwise, and that classes are uneven', async () => {
  const out = join(dir, 'cli');
  const { code, stdout, stderr } = await run(
    ...['train', uneven, '--out', out, '--size', '16', '--epochs', '1', '--batch', '8'],
  );
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringContaining('"frog" has 40 training images, "horse" only 3.'),
  });
  expect(stdout).toMatch(/^43 images to train on in 2 classes, 3 to 40 each, typically 32 x 32 pixels\.\n/);
  expect(stdout).toMatch(/Chosen for them: resnext\d+_8x16d_w16 at 16 x 16 pixels for 1 epoch, about/);
  expect(stdout).toContain('--variant, --size or --epochs');
  expect(stdout).toMatch(/\nepoch 1\/1 .* balanced .* F1 /);
  const { validation } = JSON.parse(readFileSync(join(out, 'metrics.jsonl'), 'utf8'));
  expect(stdout).toContain(
    `balanced accuracy ${validation.balancedAccuracy.toFixed(2)} %, macro F1 ${validation.macroF1.toFixed(2)} %`,
  );
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
}, 60_000);
