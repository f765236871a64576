/** Which epoch a run saves as its best, and when a run that has stopped improving ends, also if it was interrupted. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadModel, resume, type TrainEvent, type TrainOptions, type TrainResult, train } from 'resnext';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { run } from './command.ts';

const examples = fileURLToPath(new URL('../examples/images', import.meta.url));
let dir: string;
let data: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-best-'));
  data = join(dir, 'data');
  for (const [part, count] of [
    ['train', 8],
    ['val', 6],
  ] as const) {
    for (const name of ['frog', 'horse']) {
      mkdirSync(join(data, part, name), { recursive: true });
      const files = readdirSync(join(examples, part, name))
        .sort()
        .slice(0, count);
      for (const file of files) cpSync(join(examples, part, name, file), join(data, part, name, file));
    }
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

const small = { variant: 'resnext11_4x16d_w16', size: 16, batch: 8, threads: 1, workers: 0 } as const;
type Epoch = Extract<TrainEvent, { readonly event: 'epoch' }>;

interface Ended {
  readonly epochs: readonly Epoch[];
  readonly result: TrainResult;
}

/** What `use` reports, if it is interrupted after this step. */
async function epochsOf(use: (hooks: object) => Promise<TrainResult>, stopAt = Infinity): Promise<Ended> {
  const epochs: Epoch[] = [];
  const stop = new AbortController();
  let steps = 0;
  const onEvent = (event: TrainEvent) => {
    if (event.event === 'epoch') epochs.push(event);
    if (event.event === 'step' && ++steps === stopAt) stop.abort();
  };
  return { result: await use({ onEvent, signal: stop.signal }), epochs };
}

const trained = (out: string, given: Partial<TrainOptions>, stopAt?: number): Promise<Ended> =>
  epochsOf((hooks) => train({ ...small, data, out, ...given }, hooks), stopAt);

const linesOf = (out: string): string[] =>
  readFileSync(join(out, 'metrics.jsonl'), 'utf8')
    .replaceAll(/"(seconds|images)":[\d.e-]+/g, '')
    .split('\n');

test.each([
  ['loss', Math.min],
  ['macroF1', Math.max],
  ['top1', Math.max],
] as const)('the best epoch by %s is saved', async (bestBy, bestOf) => {
  const out = join(dir, bestBy);
  const { epochs, result } = await trained(out, { bestBy, epochs: 4, learningRate: 0.02 });
  const values = epochs.map(({ validation }) => validation![bestBy]);
  const best = bestOf(...values);
  expect(result).toMatchObject({ best, bestBy, bestEpoch: values.indexOf(best) + 1, endedEarly: false });
  expect(epochs.map((epoch) => epoch.best)).toEqual(
    values.map(
      (value, i) => i === 0 || (bestOf(...values.slice(0, i), value) === value && !values.slice(0, i).includes(value)),
    ),
  );
  const { metrics } = (await loadModel(out)).description;
  expect(metrics).toMatchObject({ epoch: result.bestEpoch, [bestBy]: best });
});

describe('with patience', () => {
  const given = { patience: 2, epochs: 30, learningRate: 1e-4, averageDecay: 0.5 };
  let run: string;
  let whole: Ended;
  beforeAll(async () => {
    run = join(dir, 'run');
    whole = await trained(run, given);
    renameSync(run, join(dir, 'whole'));
  }, 60_000);

  it('a run ends after that many epochs without a better one', () => {
    const { bestEpoch } = whole.result;
    expect(whole.result).toMatchObject({ endedEarly: true, interrupted: false });
    expect(whole.epochs).toHaveLength(bestEpoch! + 2);
    expect(whole.epochs.length).toBeLessThan(30);
    expect(whole.epochs.findLast(({ best }) => best)!.epoch).toBe(bestEpoch);
  });

  it('so does one that was interrupted in its last epoch, with the same bytes, and goes on with more patience', async () => {
    expect((await trained(run, given, 2 * whole.epochs.length - 1)).result).toMatchObject({ interrupted: true });
    const { result } = await epochsOf((hooks) => resume(run, { threads: 1, workers: 0 }, hooks));
    expect(result).toEqual(whole.result);
    expect(linesOf(run)).toEqual(linesOf(join(dir, 'whole')));
    for (const file of ['checkpoints/last.safetensors', 'checkpoints/best.safetensors', 'model.safetensors']) {
      expect(readFileSync(join(run, file)).equals(readFileSync(join(dir, 'whole', file))), file).toBe(true);
    }
    const again = await epochsOf((hooks) => resume(run, { threads: 1, workers: 0, epochs: 40 }, hooks));
    expect(again).toEqual({ epochs: [], result: whole.result });
    const more = await epochsOf((hooks) => resume(run, { threads: 1, workers: 0, patience: 3 }, hooks));
    expect(more.epochs[0]!.epoch).toBe(whole.epochs.length + 1);
  });
});

test('the command line says why a run ended, and what to type to go on', async () => {
  const out = join(dir, 'typed');
  const options = ['--variant', small.variant, '--size', '16', '--batch', '8', '--lr', '1e-9', '--workers', '0'];
  const rules = ['--epochs', '20', '--patience', '1', '--best-by', 'balancedAccuracy'];
  const first = await run('train', data, '--out', out, ...options, ...rules);
  expect(first.stdout).toMatch(/\nEnded after epoch \d+ of 20, since balanced accuracy was no better for 1 epoch\.\n/);
  expect(first.stdout).toMatch(/\nDone: best balanced accuracy \d+\.\d\d % in epoch \d+\. The model is in .*\n/);
  expect(first.stdout).toMatch(/ {2}balanced +\d+\.\d {2}F1 /);
  expect(first.stdout).toContain(`\nTo train longer: resnext train --resume ${out} --patience 2\n`);
  const again = await run('train', '--resume', out);
  expect(again.stdout).toMatch(/To train longer, set --patience to more than 1, or to 0\.\n/);
  const refused = await run(
    'train',
    join(data, 'train'),
    '--out',
    join(dir, 'x'),
    '--validation',
    '0',
    '--patience',
    '2',
  );
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--patience needs validation images') });
});
