/**
 * `resnext bulk` with a queue: several workers, of which some are killed, and a Redis that is killed make the same bytes as
 * one process without a queue. `npm run test:bulk` does that with 20,000 images and kills a worker every few seconds.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportSmall, json, linkImages, run, start } from './command.ts';
import { tar } from './pack.ts';
import { noRedis, TestRedis } from './redis.ts';

if (noRedis) console.log(noRedis);

const examples = fileURLToPath(new URL('../examples/images', import.meta.url));
const images = Number(process.env.RESNEXT_BULK ?? 300);
const isWhole = images > 1000;
const shardSize = isWhole ? 100 : 10;
/** Milliseconds between two kills, each of the oldest worker that has done a shard. */
const killEvery = 3000;

let dir: string;
let photos: string;
let model: string;
let redis: TestRedis;
const children = new Set<ChildProcess>();

function link(folder: string, count: number): void {
  const files = ['val', 'train'].flatMap((side) =>
    ['airplane', 'frog'].flatMap((name) => {
      const own = join(examples, side, name);
      return readdirSync(own)
        .sort()
        .map((file) => join(own, file));
    }),
  );
  linkImages(folder, files, count, 100_000);
}

describe.skipIf(noRedis)('a queue', () => {
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'resnext-queue-'));
    photos = join(dir, 'photos');
    model = join(dir, 'model.onnx');
    link(photos, images);
    writeFileSync(join(photos, '100000 bad.png'), 'no image');
    await exportSmall(model, 64);
    mkdirSync(join(dir, 'redis'));
    redis = await TestRedis.start(join(dir, 'redis'));
  }, 120_000);
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await redis?.kill();
    rmSync(dir, { recursive: true });
  });

  const machine = ['--batch', '5', '--threads', '1', '--workers', '0'];
  const taskOf = (sources: string, out: string, size = shardSize) => [
    sources,
    '--task',
    'classify',
    '--model',
    model,
    '--out',
    out,
    '--shard-size',
    `${size}`,
  ];
  const at = () => ['--queue', redis.url];

  interface Event {
    readonly event: string;
    readonly [detail: string]: unknown;
  }

  /** A worker, and what it has reported so far. */
  function worker(...options: string[]) {
    const { child, ended } = start('bulk', 'work', ...at(), ...machine, '--json', ...options);
    children.add(child);
    const events: Event[] = [];
    let rest = '';
    child.stdout!.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      events.push(...lines.map((line) => JSON.parse(line) as Event));
    });
    return { child, ended, events };
  }

  const isAlive = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;

  const doneIn = (out: string): number =>
    existsSync(join(out, 'shards'))
      ? readdirSync(join(out, 'shards')).filter((name) => name.endsWith('.json')).length
      : 0;

  async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await condition())) await setTimeout(10);
  }

  it(
    'workers that are killed and a Redis that is killed make the same bytes',
    async () => {
      const [single, shared] = [join(dir, 'single'), join(dir, 'shared')];
      expect((await run('bulk', 'run', ...taskOf(photos, single), ...machine)).code).toBe(0);
      const submitted = await json<Event>('bulk', 'submit', ...taskOf(photos, shared), ...at());
      const shards = Math.ceil((images + 1) / shardSize);
      expect(submitted).toEqual({ event: 'submitted', shards, done: 0, images: images + 1 });

      const workers = [1, 2, 3].map(() => worker('--until-done'));
      await until(() => doneIn(shared) >= Math.min(3, shards / 4));
      workers[0]!.child.kill('SIGKILL');
      await until(() => doneIn(shared) >= shards / 3);
      await redis.kill();
      await setTimeout(500);
      await redis.start();
      let kills = 1;
      if (isWhole) workers.push(worker('--until-done'));
      while (isWhole && doneIn(shared) < shards) {
        await setTimeout(killEvery);
        const victim = workers.find(
          ({ child, events }) => isAlive(child) && events.some(({ event }) => event === 'shard'),
        );
        if (!victim?.child.kill('SIGKILL')) continue;
        kills++;
        workers.push(worker('--until-done'));
      }
      await Promise.all(workers.map(({ ended }) => ended));
      expect(doneIn(shared)).toBe(shards);

      for (const out of [single, shared]) expect((await run('bulk', 'merge', out, '-o', `${out}.jsonl`)).code).toBe(0);
      const rows = readFileSync(`${shared}.jsonl`, 'utf8').trimEnd().split('\n');
      const whole = readFileSync(`${single}.jsonl`, 'utf8').trimEnd().split('\n');
      expect(rows).toHaveLength(images + 1);
      expect(rows.sort()).toEqual(whole.sort());
      const repeated = workers.flatMap(({ events }) => events).filter(({ event }) => event === 'stalled').length;
      process.stderr.write(`${images} images, ${kills} workers killed, ${repeated} shards given to another worker\n`);
    },
    180_000 + images * 200,
  );

  it('a shard whose worker is killed is taken by another within 20 seconds', async () => {
    const [folder, out] = [join(dir, 'slow'), join(dir, 'slow-out')];
    link(folder, 5000);
    const named = ['--queue-name', 'slow'];
    await json('bulk', 'submit', ...taskOf(folder, out, 5000), ...at(), ...named);
    const workers = [worker(...named, '--batch', '1'), worker(...named, '--batch', '1')];
    const started = (each: (typeof workers)[number]) => each.events.some(({ event }) => event === 'started');
    await until(() => workers.some(started));
    const [busy, other] = started(workers[0]!) ? workers : workers.toReversed();
    await setTimeout(1500); // until it has reported some images
    expect(await json('bulk', 'status', ...at(), ...named)).toMatchObject({
      active: 1,
      running: [{ out, shard: '00000', done: expect.any(Number), total: 5000 }],
    });
    busy!.child.kill('SIGKILL');
    const killed = performance.now();
    await until(() => started(other!));
    expect((performance.now() - killed) / 1000).toBeLessThan(20);
    expect(other!.events.map(({ event }) => event)).toEqual(['ready', 'stalled', 'started']);
    other!.child.kill('SIGKILL');
  }, 120_000);

  it('a shard that fails is listed with the reason, and can be tried again; metrics count it', async () => {
    const [file, out] = [join(dir, 'late.tar'), join(dir, 'late-out')];
    writeFileSync(file, 'not a tar file yet');
    const named = [...at(), '--queue-name', 'late'];
    await json('bulk', 'submit', ...taskOf(file, out), ...named, '--attempts', '2');
    const failing = worker('--queue-name', 'late', '--metrics-port', '0');
    await until(() => failing.events.some(({ event, isFinal }) => event === 'failed' && isFinal === true));
    const { url } = failing.events.find(({ event }) => event === 'metrics')!;
    const metrics = await (await fetch(url as string)).text();
    expect(metrics).toContain('resnext_bulk_shards_total{outcome="failed"} 2');
    expect(metrics).toContain('resnext_bulk_queue_shards{state="failed"} 1');
    failing.child.kill('SIGTERM');
    expect((await failing.ended).code).toBe(0);

    const { code, stdout } = await run('bulk', 'status', ...named);
    expect(code).toBe(1);
    expect(stdout).toMatch(/late-out +00000 +2 +.*late\.tar/);
    writeFileSync(
      file,
      tar({ '1.jpg': readFileSync(join(examples, 'val/frog', readdirSync(join(examples, 'val/frog'))[0]!)) }),
    );
    expect(await json('bulk', 'retry', ...named, '--out', join(dir, 'other'))).toEqual({ shards: 0 });
    expect(await json('bulk', 'retry', ...named)).toEqual({ shards: 1 });
    expect((await worker('--queue-name', 'late', '--until-done').ended).code).toBe(0);
    expect(await json('bulk', 'status', ...named)).toMatchObject({ waiting: 0, done: 1, failed: 0, dead: [] });
  }, 120_000);

  it('submitting twice hands out each shard once, and cancel takes them back', async () => {
    const [folder, out] = [join(dir, 'few'), join(dir, 'few-out')];
    link(folder, 25);
    const named = [...at(), '--queue-name', 'few'];
    for (const _ of [1, 2]) {
      expect(await json('bulk', 'submit', ...taskOf(folder, out, 10), ...named)).toMatchObject({ shards: 3, done: 0 });
    }
    expect(await json('bulk', 'status', ...named)).toMatchObject({ waiting: 3, active: 0 });
    expect(await json('bulk', 'cancel', ...named, '--out', join(dir, 'other'))).toEqual({ shards: 0 });
    expect(await json('bulk', 'cancel', ...named, '--out', out)).toEqual({ shards: 3 });
    expect(await json('bulk', 'status', ...named)).toMatchObject({ waiting: 0 });
    rmSync(out, { recursive: true });
    expect(await json('bulk', 'submit', ...taskOf(folder, out, 10), ...named)).toMatchObject({ shards: 3 });
    rmSync(out, { recursive: true }); // as on a machine that lacks the folder
    const lost = worker('--queue-name', 'few');
    await until(() => lost.events.some(({ event }) => event === 'failed'));
    expect(lost.events.find(({ event }) => event === 'failed')!.reason).toMatch(
      /few-out" has no plan on this machine\. Mount/,
    );
    lost.child.kill('SIGKILL');
  }, 120_000);

  it('a Redis that cannot be reached is named without its password', async () => {
    const { code, stderr } = await run('bulk', 'status', '--queue', 'redis://:secret@127.0.0.1:1');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: The queue at redis:\/\/:\*\*\*@127\.0\.0\.1:1 cannot be reached: /),
    ]);
    expect((await run('bulk', 'work', '--queue', '127.0.0.1:6379')).stderr).toMatch(
      /expected an address that begins with redis:\/\//,
    );
  }, 60_000);
});
