/** When batches start. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Gatherer } from './gatherer.ts';

/** A gatherer that doubles numbers when it is told to, and the batches that have started. */
function gatherer(maxBatch: number, maxWait: number, isMoreComing = () => false) {
  const batches: number[][] = [];
  const finish: (() => void)[] = [];
  const run = async (items: readonly number[]) => {
    batches.push([...items]);
    await new Promise<void>((resolve) => finish.push(resolve));
    return items.map((item) => 2 * item);
  };
  const next = async () => {
    while (finish.length === 0) await sleep(1);
    finish.shift()!();
  };
  return { gatherer: new Gatherer(run, { maxBatch, maxWait, isMoreComing }), batches, next };
}

const forever = 60_000;

test('what comes in one turn runs together, and what comes during a run runs after it', async () => {
  const { gatherer: gathered, batches, next } = gatherer(4, forever);
  const first = [1, 2].map((item) => gathered.submit(item));
  await next();
  expect(await Promise.all(first)).toEqual([2, 4]);
  const second = [3, 4, 5, 6, 7, 8].map((item) => gathered.submit(item));
  await next();
  expect(await Promise.all(second.slice(0, 4))).toEqual([6, 8, 10, 12]);
  expect(batches).toEqual([
    [1, 2],
    [3, 4, 5, 6],
  ]);
});

test('an item that is alone does not wait', async () => {
  const { gatherer: gathered, batches, next } = gatherer(4, forever);
  for (const item of [1, 2]) {
    const result = gathered.submit(item);
    await next();
    expect(await result).toBe(2 * item);
  }
  expect(batches).toEqual([[1], [2]]);
});

test('an incomplete batch waits for those that are on their way, but not longer than maxWait', async () => {
  let isMoreComing = true;
  const { gatherer: gathered, batches, next } = gatherer(2, forever, () => isMoreComing);
  const first = gathered.submit(1);
  await sleep(20);
  expect(batches).toEqual([]);
  const second = gathered.submit(2); // full
  await next();
  expect(await Promise.all([first, second])).toEqual([2, 4]);
  isMoreComing = false;
  void gathered.submit(3); // fewer than the last batch had
  await sleep(20);
  expect(batches).toEqual([[1, 2]]);
  const soon = gatherer(2, 10, () => true);
  const alone = soon.gatherer.submit(1);
  await soon.next();
  expect(await alone).toBe(2);
});

test('an item leaves when its signal aborts, until its batch has started', async () => {
  const { gatherer: gathered, batches, next } = gatherer(1, forever);
  const [early, late] = [new AbortController(), new AbortController()];
  const running = gathered.submit(1, late.signal);
  while (batches.length === 0) await sleep(1);
  const waiting = gathered.submit(2, early.signal);
  early.abort(new Error('gone'));
  late.abort();
  await expect(waiting).rejects.toThrow('gone');
  await next();
  expect(await running).toBe(2);
  expect(() => gathered.submit(3, early.signal)).toThrow('gone');
  expect(batches).toEqual([[1]]);
});

test('an error is that of each item of the batch, and the next batch runs', async () => {
  let isBroken = true;
  const gathered = new Gatherer(
    async (items: readonly number[]) => {
      if (isBroken) throw new Error('broken');
      return items;
    },
    { maxBatch: 2, maxWait: 0, isMoreComing: () => false },
  );
  const results = await Promise.allSettled([gathered.submit(1), gathered.submit(2)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  isBroken = false;
  expect(await gathered.submit(3)).toBe(3);
});
