/** What follows from one entry: the type, the check with its sentence, parsing, help and documentation. */
import { execFileSync } from 'node:child_process';
import { describe, expect, expectTypeOf, it, test } from 'vitest';
import { UsageError } from './errors.ts';
import {
  check,
  flag,
  type GivenOf,
  helpOf,
  list,
  OptionError,
  type OptionsOf,
  oneOf,
  pair,
  pick,
  quoted,
  real,
  resolve,
  text,
  whole,
} from './options.ts';

const table = {
  data: text({ required: true, expected: 'a folder', flag: '<dir>', doc: 'folder of images' }),
  epochs: whole({ from: 1, default: 30, flag: '--epochs <n>', doc: 'passes over the images' }),
  rate: real({
    above: 0,
    defaultOf: ({ epochs }: { readonly epochs: number }) => 3 / epochs,
    usual: '3 / epochs',
    flag: '-r, --lr, --learning-rate <rate>',
    doc: 'learning rate',
  }),
  share: real({ from: 0, below: 1, doc: 'a share' }),
  schedule: oneOf(['constant', 'step', 'cosine'], {
    default: 'cosine',
    flag: '--schedule <name>',
    doc: 'rate over time',
  }),
  kernel: oneOf([1, 3], { default: 1, flag: '--kernel <n>', doc: 'kernel' }),
  strict: flag({ default: false, flag: '--strict', doc: 'stop at errors' }),
  freeze: list(text({ doc: 'a part' }), { default: [], flag: '--freeze <parts>', doc: 'parts' }),
  size: pair(whole({ from: 1, to: 512, doc: 'a size' }), { doc: 'height and width' }),
};

test('types follow: readonly, required or with a default is there, the rest may be missing', () => {
  expectTypeOf<OptionsOf<typeof table>>().toEqualTypeOf<{
    readonly data: string;
    readonly epochs: number;
    readonly rate: number;
    readonly schedule: 'constant' | 'step' | 'cosine';
    readonly kernel: 1 | 3;
    readonly strict: boolean;
    readonly freeze: readonly string[];
    readonly share?: number;
    readonly size?: readonly [number, number];
  }>();
  expectTypeOf<Pick<GivenOf<typeof table>, 'data' | 'epochs' | 'kernel'>>().toEqualTypeOf<{
    readonly data: string;
    readonly epochs?: number;
    readonly kernel?: 1 | 3;
  }>();
});

test('defaults may follow from the options before them', () => {
  const rest = { schedule: 'cosine', kernel: 1, strict: false, freeze: [] };
  expect(resolve(table, { data: 'a' })).toEqual({ data: 'a', epochs: 30, rate: 0.1, ...rest });
  expect(resolve(table, { data: 'a', epochs: 3 })).toMatchObject({ epochs: 3, rate: 1 });
  expect(resolve(table, { data: 'a', rate: 2, share: 0.5 })).toMatchObject({ rate: 2, share: 0.5 });
});

describe('a value that cannot be used is refused by option, and by flag where it was typed', () => {
  it.each<[object, string, string]>([
    [{}, 'data is required: expected a folder.', 'Name a folder: <dir> is missing.'],
    [{ rate: 0 }, 'rate is 0, but expected a number above 0.', '--learning-rate is 0, but expected a number above 0.'],
    [{ rate: Number.NaN }, 'rate is NaN, but', '--learning-rate is NaN, but'],
    [
      { epochs: 1.5 },
      'epochs is 1.5, but expected a whole number of at least 1.',
      '--epochs is 1.5, but expected a whole number of at least 1.',
    ],
    [{ epochs: 'ten' }, 'epochs is "ten", but', '--epochs is "ten", but'],
    [{ share: 1 }, 'share is 1, but expected a number of at least 0 and below 1.', 'share is 1, but'],
    [
      { schedule: 'linear' },
      'schedule is "linear", but expected constant, step or cosine.',
      '--schedule is "linear", but expected constant, step or cosine.',
    ],
    [{ kernel: 2 }, 'kernel is 2, but expected 1 or 3.', '--kernel is 2, but'],
    [{ strict: 'yes' }, 'strict is "yes", but expected true or false.', '--strict is "yes", but'],
    [{ freeze: [''] }, 'freeze is [""], but expected a list of texts.', '--freeze is [""], but'],
    [
      { size: [3, 600] },
      'size is [3,600], but expected a pair of whole numbers from 1 to 512.',
      'size is [3,600], but',
    ],
  ])('%j', (given, option, typed) => {
    const isEmpty = Object.keys(given).length === 0;
    const error = caught(() => resolve(table, isEmpty ? given : { data: 'a', ...given }));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toContain(option);
    expect(error.typed).toContain(typed);
  });
});

function caught(attempt: () => unknown): OptionError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof OptionError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
}

test('an error asks for another option with an example, or for a flag alone', () => {
  const { message, typed } = new OptionError(table, (say) => `Add ${say('epochs', '5')} or ${say('strict', 'true')}.`);
  expect(message).toBe('Add epochs: 5 or strict: true.');
  expect(typed).toBe('Add --epochs 5 or --strict.');
});

test('typed text becomes a value, or stays text', () => {
  expect(table.epochs.parse('12')).toBe(12);
  expect(table.epochs.parse('twelve')).toBe('twelve');
  expect(table.epochs.parse(' ')).toBe(' ');
  expect(table.kernel.parse('3')).toBe(3);
  expect(table.freeze.parse('stem, layer1,')).toEqual(['stem', 'layer1']);
  expect(table.size.parse('3,5')).toEqual([3, 5]);
});

test('help names choices and defaults', () => {
  expect(helpOf(table.epochs)).toBe('passes over the images (default: 30)');
  expect(helpOf(table.rate)).toBe('learning rate (default: 3 / epochs)');
  expect(helpOf(table.schedule)).toBe('rate over time (choices: constant, step, cosine; default: cosine)');
  expect(helpOf(table.strict)).toBe('stop at errors');
});

test('a checked object has the type of the options', () => {
  const given: object = { ...resolve(table, { data: 'a' }) };
  check(table, given);
  expectTypeOf(given.epochs).toEqualTypeOf<number>();
  expect(given.epochs).toBe(30);
});

it('picks the options of a table that are given', () => {
  const table = { size: whole({ from: 1, doc: 'pixels' }) };
  expect(pick<{ size?: number }>(table, { size: 2, other: 1 } as { size: number })).toEqual({ size: 2 });
  expect(pick<{ size?: number | undefined }>(table, { size: undefined })).not.toHaveProperty('size');
});

it.skipIf(process.platform === 'win32')('quotes what a shell would read otherwise, and nothing else', () => {
  expect(quoted('runs/a-1.0')).toBe('runs/a-1.0');
  for (const path of ['my run', "it's", '$HOME', 'a"b', '*.jpg', '']) {
    expect(execFileSync('/bin/sh', ['-c', `printf %s ${quoted(path)}`], { encoding: 'utf8' })).toBe(path);
  }
});
