import { expect, test } from 'vitest';
import { createOutput } from '../output.ts';
import { run } from './train.ts';

test('a run that fails leaves the signals to others', async () => {
  const listeners = () => ['SIGINT', 'SIGTERM'].map((signal) => process.listenerCount(signal));
  const before = listeners();
  await expect(run({ resume: 'no/such/run' }, createOutput({ json: true }))).rejects.toThrow('no training run');
  expect(listeners()).toEqual(before);
});
