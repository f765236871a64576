import { expect, it } from 'vitest';
import { terminalOf } from './terminal.ts';

const window = { isTTY: true, columns: 120 };
const pipe = {};

it.each([
  ['a terminal with 24-bit color', window, { TERM: 'xterm-256color', COLORTERM: 'truecolor' }, 'full', 120],
  ['a terminal with 256 colors', window, { TERM: 'xterm-256color' }, 'palette', 120],
  ['a terminal with 16 colors', window, { TERM: 'linux' }, 'none', 120],
  ['a terminal that cannot move its cursor', window, { TERM: 'dumb', COLORTERM: 'truecolor' }, 'none', 120],
  ['a person who wants no colors', window, { COLORTERM: 'truecolor', NO_COLOR: '1' }, 'none', 120],
  ['an empty NO_COLOR, which means nothing', window, { COLORTERM: 'truecolor', NO_COLOR: '' }, 'full', 120],
  ['a pipe', pipe, { TERM: 'xterm-256color', COLORTERM: 'truecolor' }, 'none', 80],
  ['a pipe that colors are wanted for', pipe, { FORCE_COLOR: '3' }, 'full', 80],
  ['a pipe that no colors are wanted for', pipe, { FORCE_COLOR: '0', COLORTERM: 'truecolor' }, 'none', 80],
] as const)('%s', (_, stream, env, colors, columns) => {
  expect(terminalOf(stream, env)).toEqual({ colors, columns });
});
