import { expect, test } from 'vitest';
import { judged, lowering } from './lowering.ts';

test('this machine trains in blocks; other providers and whoever asks for it in standard operators', async () => {
  expect(await lowering()).toMatchObject({ layout: 'blocked', optimization: 'disabled' });
  expect(await lowering({ providers: ['cuda', 'cpu'] })).toMatchObject({ layout: 'standard', reason: /only the CPU/ });
  expect(await lowering({}, 'standard')).toMatchObject({ layout: 'standard' });
  await expect(lowering({ providers: ['webgpu'] }, 'blocked')).rejects.toThrow(
    'The blocked layout does not work here: only the CPU has a blocked layout. Leave the layout open.',
  );
});

test('a layout that computes something else is not trusted', async () => {
  const other = await judged(32); // no CPU has blocks of 32
  expect(other.layout).toBe('standard');
  expect(other.reason).toMatch(/^this runtime('s blocked layout computes something else|does not take)/);
});
