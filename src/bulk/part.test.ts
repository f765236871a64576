import { expect, test } from 'vitest';
import { isInPart, part, partOf } from './part.ts';

test.each([
  ['3/16', {}, '3/16'],
  ['1/1', {}, '1/1'],
  ['slurm', { SLURM_ARRAY_TASK_ID: '7', SLURM_ARRAY_TASK_MIN: '5', SLURM_ARRAY_TASK_COUNT: '4' }, '3/4'],
  [
    'slurm', // --array=10-40:10, in whose tasks the variables of a step are set as well
    {
      SLURM_ARRAY_TASK_ID: '30',
      SLURM_ARRAY_TASK_MIN: '10',
      SLURM_ARRAY_TASK_COUNT: '4',
      SLURM_ARRAY_TASK_STEP: '10',
      SLURM_PROCID: '0',
      SLURM_NTASKS: '1',
    },
    '3/4',
  ],
  ['slurm', { SLURM_PROCID: '0', SLURM_NTASKS: '8' }, '1/8'],
  ['kubernetes/16', { JOB_COMPLETION_INDEX: '15' }, '16/16'],
])('%s with %o is %s', (typed, environment, expected) => {
  const { number, of } = partOf(typed, environment);
  expect(`${number}/${of}`).toBe(expected);
});

test.each(['', '0/4', '5/4', '4', '1/0', '1/-2', 'kubernetes', 'kubernetes/0', 'slurm/3', '01/4', 'Slurm'])(
  '"%s" is refused',
  (typed) => expect(part.accepts(typed)).toBe(false),
);

test.each([
  ['slurm', {}, /SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT, or SLURM_PROCID and SLURM_NTASKS, are not set/],
  ['kubernetes/4', { JOB_COMPLETION_INDEX: '4' }, /JOB_COMPLETION_INDEX is not from 0 to 3 or not set/],
  ['kubernetes/4', { JOB_COMPLETION_INDEX: 'x' }, /JOB_COMPLETION_INDEX is not from 0 to 3 or not set/],
])('%s with %o says what is missing', (typed, environment, message) => {
  expect(() => partOf(typed, environment)).toThrow(message);
});

test('each shard is in exactly one part', () => {
  for (let shard = 0; shard < 50; shard++) {
    const parts = [1, 2, 3, 4, 5, 6, 7].filter((number) => isInPart(shard, { number, of: 7 }));
    expect(parts).toHaveLength(1);
  }
});
