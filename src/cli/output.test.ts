import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createOutput, withBar } from './output.ts';

const parts = [' 12 %', 'epoch 12/30', 'loss 1.234', 'top-1 45.6 %', '1:05:09 left', '123 images/s'];
const cells = (line: string) => line.match(/[━╌]/g)?.length ?? 0;

it('leaves out the last parts of progress so that 80 columns hold a bar', () => {
  const narrow = withBar(0.5, parts, 80);
  expect(narrow).toContain('1:05:09 left');
  expect(narrow).not.toContain('images/s');
  expect(cells(narrow)).toBeGreaterThanOrEqual(16);
  expect(narrow.length).toBeLessThanOrEqual(77);
  expect(narrow.match(/━/g)).toHaveLength(Math.round(cells(narrow) / 2));
});

it('shows all parts on a wide terminal, and only the first on a tiny one', () => {
  expect(withBar(1, parts, 120)).toBe(`${'━'.repeat(24)} ${parts.join('  ')}`);
  expect(withBar(0, parts, 20)).toBe(`${'╌'.repeat(11)} ${parts[0]}`);
});

describe('on terminals and off', () => {
  const streams = { stdout: process.stdout, stderr: process.stderr };
  const terminals = { stdout: streams.stdout.isTTY, stderr: streams.stderr.isTTY };
  let printed: { stdout: string; stderr: string };

  const setTerminals = (stdout: boolean, stderr: boolean) => {
    streams.stdout.isTTY = stdout;
    streams.stderr.isTTY = stderr;
  };

  beforeEach(() => {
    printed = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      vi.spyOn(streams[name], 'write').mockImplementation((text) => {
        printed[name] += text;
        return true;
      });
    }
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    setTerminals(terminals.stdout, terminals.stderr);
  });

  it.each([
    [true, true, false, 'stderr'],
    [false, true, false, 'stderr'],
    [false, true, true, 'stderr'],
    [true, false, false, 'stdout'],
  ] as const)('a bar is where results are not (%s, %s, --json %s)', (stdout, stderr, isJson, where) => {
    setTerminals(stdout, stderr);
    const output = createOutput({ json: isJson });
    output.progress(0.5, '1 of 2 images');
    output.clear();
    expect(printed[where]).toMatch(/━+╌+ {2}50 % {2}1 of 2 images\r.*$/u);
    expect(printed[where === 'stdout' ? 'stderr' : 'stdout']).toBe('');
  });

  it('without a terminal, progress is a line on standard error every ten seconds', () => {
    setTerminals(false, false);
    const output = createOutput({ json: false });
    for (let second = 0; second < 25; second++) {
      output.progress(second / 25, `${second} images`);
      vi.advanceTimersByTime(1000);
    }
    expect(printed).toEqual({ stdout: '', stderr: ' 40 %  10 images\n 80 %  20 images\n' });
    const quiet = createOutput({ json: true });
    vi.advanceTimersByTime(20_000);
    quiet.progress(0.5, 'images');
    expect(printed.stderr).not.toContain('50 %');
  });

  it('names are printed with their control characters escaped, and data as it is unless it is for a terminal', () => {
    const name = 'a\u001b[2J\u009bb\u202ec\r';
    const shown = 'a\\u001b[2J\\u009bb\\u202ec\\u000d';
    setTerminals(false, false);
    const output = createOutput({ json: false });
    output.line(`1\n${name}`);
    output.data(`${name}\n`);
    output.warn(`${name}\n2`);
    setTerminals(true, false);
    output.data(`${name}\n`);
    createOutput({ json: true }).document([name], false);
    expect(printed.stdout).toBe(`1\n${shown}\n${name}\n${shown}\n["a\\u001b[2J\\u009bb\\u202ec\\r"]\n`);
    expect(printed.stderr).toMatch(/warning:.* a\\u001b\[2J\\u009bb\\u202ec\\u000d\\u000a2\n$/);
  });
});
