/** The output of commands: text for people, JSON for programs, and a status line that is redrawn during long work. */
import pc from 'picocolors';
import { printable } from '../errors.ts';
import { reasonOf } from '../files.ts';
import { type Terminal, terminalOf } from '../output/terminal.ts';
import { wrap } from '../output/text.ts';
import type { RewriteReport } from '../rewrite/rewriter.ts';

export interface Output {
  readonly json: boolean;
  /** Number of columns: those of the terminal, or 80. */
  readonly width: number;
  /** What can be drawn where results are printed. */
  readonly terminal: Terminal;
  /** Lines for people; not printed with --json. Names in it are `printable`. */
  line(text?: string): void;
  /** Text for programs, printed also with --json; control characters are escaped only for a terminal. */
  data(text: string): void;
  /** Lines for people that contain escape sequences of this program. Names in it have to be `printable`. */
  drawing(text: string): void;
  /** A JSON document; printed only with --json. Documents that are one of many are not indented. */
  document(value: unknown, indent?: boolean): void;
  /** A line on standard error, also with --json. */
  warn(text: string): void;
  /** A remark for people on standard error; not printed with --json. */
  note(text: string): void;
  /**
   * Progress: a bar that is redrawn on a terminal, or else a plain line on standard error every ten seconds, not with --json.
   *
   * @param share the share of the work that is done, from 0 to 1.
   * @param parts what to say beside it. The last ones are left out on a terminal too narrow for them and a bar.
   */
  progress(share: number, ...parts: readonly string[]): void;
  /** Removes the bar. */
  clear(): void;
}

export interface OutputOptions {
  readonly json: boolean;
  /** Where results are printed: standard error if standard output is a file that the command writes. */
  readonly stream?: NodeJS.WriteStream;
  /** Whether the command goes on if that is no longer possible. */
  readonly outlivesOutput?: boolean;
}

/** JSON on several lines, except that lists of numbers stay on one. */
const indented = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(/\[\n\s+(-?\d[^[\]{}"]*?)\n\s*\]/g, (_, numbers: string) => {
    return `[${numbers.replace(/\s+/g, ' ')}]`;
  });

/** Escapes all control characters but those that the separator, which has one group, captures. */
const escapedBetween = (separator: RegExp, text: string): string =>
  text
    .split(separator)
    .map((part, k) => (k % 2 === 1 ? part : printable(part)))
    .join('');

const lineBreaks = /(\n)/;
export const printableLines = (text: string): string => escapedBetween(lineBreaks, text);
const styles = pc.isColorSupported ? new RegExp(`(\n|${String.fromCharCode(27)}\\[\\d+m)`) : lineBreaks;

/** Text for a stream: on a terminal, long lines are broken between words. */
export const fitted = (stream: NodeJS.WriteStream, text: string): string =>
  stream.isTTY ? wrap(text, widthOf(stream)) : text;

/** Number of columns: those of a terminal, or else 80. */
const widthOf = (stream: NodeJS.WriteStream): number => stream.columns || 80;

const plainEvery = 10_000;
const drawEvery = 100;

export function createOutput({ json, stream = process.stdout, outlivesOutput = false }: OutputOptions): Output {
  const results = createPrinter(stream, outlivesOutput);
  const terminal = terminalFor(json);
  let drawn = false;
  let last = terminal ? 0 : Date.now();
  const clear = () => {
    if (drawn) terminal?.write('\r\u001b[2K');
    drawn = false;
  };
  const print = (text: string) => {
    clear();
    results.write(text);
  };
  const remark = (text: string) => {
    clear();
    process.stderr.write(`${fitted(process.stderr, text)}\n`);
  };
  return {
    json,
    get width() {
      return widthOf(stream);
    },
    get terminal() {
      return terminalOf(stream, process.env);
    },
    clear,
    line: (text = '') => {
      if (!json) print(`${fitted(stream, escapedBetween(styles, text))}\n`);
    },
    data: (text) => print(stream.isTTY ? printableLines(text) : text),
    drawing: (text) => {
      if (!json) print(text);
    },
    document: (value, indent = true) => {
      if (json) print(`${printableLines(indent ? indented(value) : JSON.stringify(value))}\n`);
    },
    note: (text) => {
      if (!json) remark(pc.dim(printable(text)));
    },
    warn: (text) => remark(`${pc.yellow('warning:')} ${printable(text)}`),
    progress: (share, ...parts) => {
      const now = Date.now();
      if ((json && !terminal) || now - last < (terminal ? drawEvery : plainEvery)) return;
      last = now;
      drawn = terminal !== undefined;
      const cells = [`${String(Math.floor(100 * share)).padStart(3)} %`, ...parts.map(printable)];
      if (terminal) terminal.write(`\r\u001b[2K${withBar(share, cells, widthOf(terminal))}`);
      else process.stderr.write(`${cells.join('  ')}\n`);
    },
  };
}

/** Where a bar can be drawn without getting into results. */
function terminalFor(json: boolean): NodeJS.WriteStream | undefined {
  if (process.stderr.isTTY) return process.stderr;
  return process.stdout.isTTY && !json ? process.stdout : undefined;
}

/**
 * Prints until it fails. The reader of a pipe may stop early, as `head` does, and then the command ends quietly; on a full
 * disk it ends with an error. A command that outlives its output goes on in both cases.
 */
function createPrinter(stream: NodeJS.WriteStream, outlivesOutput: boolean): { write(text: string): void } {
  let lost = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (lost) return;
    lost = true;
    if (!outlivesOutput) endFor(error);
    process.stderr.write(`${pc.yellow('warning:')} ${lostOutput(error)} The run goes on.\n`);
  });
  return {
    write: (text) => {
      if (!lost) stream.write(text);
    },
  };
}

/** Ends quietly when nobody takes the output of a process any more, unless a printer decides what to do then. */
export function endWithReader(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (stream.listenerCount('error') > 1) return;
    endFor(error);
  });
}

function endFor(error: NodeJS.ErrnoException): never {
  const isQuiet = error.code === 'EPIPE';
  if (!isQuiet) process.stderr.write(`${pc.red('error:')} ${lostOutput(error)}\n`);
  process.exit(isQuiet ? 0 : 1);
}

const lostOutput = (error: NodeJS.ErrnoException): string => `Cannot write to standard output: ${reasonOf(error)}.`;

const [minBar, maxBar] = [16, 24];

/** A line of the terminal: a bar, then as many of the parts as fit. A ^C still fits at the end. */
export function withBar(share: number, parts: readonly string[], columns: number): string {
  const room = columns - '^C'.length - 2;
  const fitting = parts.findLastIndex((_, i) => parts.slice(0, i + 1).join('  ').length + minBar <= room);
  const text = parts.slice(0, Math.max(1, fitting + 1)).join('  ');
  const width = Math.max(0, Math.min(maxBar, room - text.length));
  const full = Math.round(width * Math.min(1, Math.max(0, share)));
  return `${'━'.repeat(full)}${'╌'.repeat(width - full)} ${text}`.slice(0, columns - 3);
}

/** Describes the changes of a rewrite, counted by rule, and its refusals. */
export function describeRewrite({ changes, refusals, nodesBefore, nodesAfter }: RewriteReport): string {
  const counts = new Map<string, number>();
  for (const { rule } of changes) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  const done = [...counts].map(([rule, count]) => `${pc.green('Rewrote')} ${count} x ${rule}`);
  const nodes = new Map<string, string[]>();
  for (const { node, text } of refusals) nodes.set(text, [...(nodes.get(text) ?? []), node]);
  const refused = [...nodes].map(([text, [first, ...others]]) => {
    const more = others.length > 0 ? ` and ${others.length} more` : '';
    return `${pc.yellow('Refused')} ${first}${more}: ${text}`;
  });
  return [...done, ...refused, `${nodesBefore} nodes before, ${nodesAfter} after`].join('\n');
}
