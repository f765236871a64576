import { expect, test } from 'vitest';
import { Lifetime } from './lifetime.ts';

const later = <T>() => {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
};

test('the end comes once, after the last run, whichever began last', async () => {
  const [long, short] = [later<number>(), later<number>()];
  const lifetime = new Lifetime();
  const runs = [lifetime.run(() => long.promise), lifetime.run(() => short.promise)];
  const order: string[] = [];
  const end = () => lifetime.end(() => void order.push('freed'));
  const ends = Promise.all([end(), end()]);
  short.resolve(2);
  await runs[1];
  await new Promise(setImmediate);
  order.push('long run ends');
  long.resolve(1);
  expect(await Promise.all(runs)).toEqual([1, 2]);
  await ends;
  expect(order).toEqual(['long run ends', 'freed']);
});

test('a run that fails is waited for, and none begins after the end', async () => {
  const lifetime = new Lifetime();
  const run = lifetime.run(() => Promise.reject(new Error('no memory')));
  await expect(run).rejects.toThrow('no memory');
  await lifetime.end(() => {});
  await expect(lifetime.run(async () => 1)).rejects.toThrow('The session is closed. Open another one.');
  expect(() => lifetime.check()).toThrow('The session is closed');
});
