/** How many replicas a run has that does not say: measured, remembered for this machine, and kept by a resumed run. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resume, type TrainEvent, type TrainOptions, train } from 'resnext';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';

const examples = fileURLToPath(new URL('../examples/images/train', import.meta.url));
let dir: string;
let data: string;
let cache: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-replicas-'));
  [data, cache] = [join(dir, 'data'), join(dir, 'cache')];
  for (const name of ['frog', 'horse']) {
    mkdirSync(join(data, name), { recursive: true });
    const files = readdirSync(join(examples, name)).sort().slice(0, 34);
    for (const file of files) cpSync(join(examples, name, file), join(data, name, file));
  }
});
afterAll(() => rmSync(dir, { recursive: true }));
beforeEach(() => vi.stubEnv('RESNEXT_CACHE', cache));
afterEach(() => vi.unstubAllEnvs());

const small = { variant: 'resnext11_4x16d_w16', size: 16, batch: 64, epochs: 2, workers: 0, validation: 0 } as const;
type Start = Extract<TrainEvent, { readonly event: 'start' }>;

/** The start of a run; with `stops`, it ends after its first step. */
async function startOf(use: (hooks: object) => Promise<unknown>, stops = false): Promise<Start> {
  const starts: Start[] = [];
  const stop = new AbortController();
  const onEvent = (event: TrainEvent) => {
    if (event.event === 'start') starts.push(event);
    if (event.event === 'step' && stops) stop.abort();
  };
  await use({ onEvent, signal: stop.signal });
  return starts[0]!;
}

const started = (name: string, given: Partial<TrainOptions> = {}, stops = false): Promise<Start> =>
  startOf((hooks) => train({ ...small, threads: 2, data, out: join(dir, name), ...given }, hooks), stops);

const choices = () => join(cache, 'choices.json');
const last = (name: string) => readFileSync(join(dir, name, 'checkpoints/last.safetensors'));

it('the number is measured once, and a run with that number given has the same bytes, also if it is resumed', async () => {
  const { replicas } = await started('measured');
  expect([1, 2]).toContain(replicas);
  const measured = readFileSync(choices(), 'utf8');
  expect(await started('again')).toMatchObject({ replicas });
  expect(readFileSync(choices(), 'utf8')).toBe(measured);
  const [key] = Object.keys(JSON.parse(measured));
  const other = { replicas: 3 - replicas, ...(replicas === 1 && { speedup: 1.5 }) };
  writeFileSync(choices(), JSON.stringify({ [key!]: other }));
  expect(await started('chosen', {}, true)).toMatchObject({
    replicas: other.replicas,
    ...(replicas === 1 && { replicasSpeedup: 1.5 }),
  });
  rmSync(cache, { recursive: true });
  const kept = await startOf((hooks) => resume(join(dir, 'chosen'), { threads: 2, workers: 0 }, hooks));
  expect(kept).toMatchObject({ replicas: other.replicas });
  expect(kept).not.toHaveProperty('replicasSpeedup');
  expect(await started('given', { replicas: other.replicas })).not.toHaveProperty('replicasSpeedup');
  expect(last('chosen').equals(last('given'))).toBe(true);
  expect(last('measured').equals(last('again'))).toBe(true);
  expect(last('measured').equals(last('given'))).toBe(false);
});

it.each<[string, Partial<TrainOptions>]>([
  ['batches of fewer than 64 images', { batch: 32 }],
  ['parts of fewer than 64 images', { accumulate: 2 }],
  ['one thread', { threads: 1 }],
  ['a larger network', { variant: 'resnext20_16x4d', size: 32, epochs: 1 }],
])('nothing is measured with %s', async (name, given) => {
  expect(await started(name, given, true)).toMatchObject({ replicas: 1 });
  expect(readdirSync(dir)).not.toContain('cache');
});
