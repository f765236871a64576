/** The output of commands: text for people, JSON for programs, and a status line that is redrawn during long work. */
import pc from 'picocolors';
import type { RewriteReport } from '../rewrite/rewriter.ts';

export interface Output {
  readonly json: boolean;
  /** A line for people; not printed with --json. */
  line(text?: string): void;
  /** A JSON document; printed only with --json. Documents that are one of many are not indented. */
  document(value: unknown, indent?: boolean): void;
  /** A line on standard error, also with --json. */
  warn(text: string): void;
  /** A remark for people on standard error; not printed with --json. */
  note(text: string): void;
  /**
   * Progress: a bar that is redrawn on a terminal, or else a plain line every ten seconds; not printed with --json.
   *
   * @param share the share of the work that is done, from 0 to 1.
   */
  progress(share: number, text: string): void;
  /** Removes the bar. */
  clear(): void;
}

/** JSON on several lines, except that lists of numbers stay on one. */
const indented = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(/\[\n\s+(-?\d[^[\]{}"]*?)\n\s*\]/g, (_, numbers: string) => {
    return `[${numbers.replace(/\s+/g, ' ')}]`;
  });

const plainEvery = 10_000;
const drawEvery = 100;

export function createOutput(json: boolean): Output {
  const terminal = process.stdout.isTTY === true && !json;
  let drawn = false;
  let last = terminal ? 0 : Date.now();
  const clear = () => {
    if (drawn) process.stdout.write('\r\u001b[2K');
    drawn = false;
  };
  const write = (stream: NodeJS.WriteStream, text: string) => {
    clear();
    stream.write(`${text}\n`);
  };
  return {
    json,
    clear,
    line: (text = '') => {
      if (!json) write(process.stdout, text);
    },
    document: (value, indent = true) => {
      if (json) write(process.stdout, indent ? indented(value) : JSON.stringify(value));
    },
    note: (text) => {
      if (!json) write(process.stderr, pc.dim(text));
    },
    warn: (text) => write(process.stderr, `${pc.yellow('warning:')} ${text}`),
    progress: (share, text) => {
      const now = Date.now();
      if (json || now - last < (terminal ? drawEvery : plainEvery)) return;
      last = now;
      drawn = terminal;
      const line = `${String(Math.floor(100 * share)).padStart(3)} %  ${text}`;
      process.stdout.write(terminal ? `\r\u001b[2K${withBar(share, line, process.stdout.columns || 80)}` : `${line}\n`);
    },
  };
}

const barWidth = 24;

/** A line of the terminal: as much of a bar as fits, then the text. A ^C still fits at the end. */
function withBar(share: number, text: string, columns: number): string {
  const width = Math.max(0, Math.min(barWidth, columns - text.length - 4));
  const full = Math.round(width * Math.min(1, Math.max(0, share)));
  return `${'━'.repeat(full)}${'╌'.repeat(width - full)} ${text}`.slice(0, columns - 3);
}

/** Describes the changes of a rewrite, counted by rule, and its refusals. */
export function describeRewrite({ changes, refusals, nodesBefore, nodesAfter }: RewriteReport): string {
  const counts = new Map<string, number>();
  for (const { rule } of changes) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  const done = [...counts].map(([rule, count]) => `${pc.green('Rewrote')} ${count} x ${rule}`);
  const refused = refusals.map(({ node, text }) => `${pc.yellow('Refused')} ${node}: ${text}`);
  return [...done, ...refused, `${nodesBefore} nodes before, ${nodesAfter} after`].join('\n');
}
