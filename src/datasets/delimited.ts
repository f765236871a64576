/**
 * Reads rows of CSV text as RFC 4180 has it, and as spreadsheets and pandas write it: with a BOM, CRLF, semicolons or tabs,
 * quoted fields over several lines, and blank lines, which are left out.
 */
import { FormatError } from '../errors.ts';

export interface Row {
  /** Of the file, from 1 on. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** Text from a file, which may be UTF-16 from a spreadsheet. */
export const textOf = (bytes: Uint8Array): string =>
  new TextDecoder(bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8').decode(bytes);

const delimiters = [',', ';', '\t'];

/** The most frequent delimiter in the first line, outside of quotes. */
export function delimiterIn(text: string): string {
  const first = /^.*/.exec(text)![0].replace(/"[^"]*"/g, '');
  const count = (delimiter: string) => first.split(delimiter).length;
  return delimiters.reduce((best, other) => (count(other) > count(best) ? other : best));
}

/** @throws FormatError naming `source` and the line of a quote that is not closed. */
export function* rowsOf(text: string, delimiter: string, source: string): Generator<Row, void, undefined> {
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const next = text.indexOf('\n', at);
    const end = next < 0 ? text.length : next;
    const plain = text.slice(at, end);
    if (plain.includes('"')) {
      const row = quotedRow(text, at, delimiter);
      if (!row) throw new FormatError(`"${source}", line ${line}: a quote is not closed. Close it.`);
      yield { line, cells: row.cells };
      line += text.slice(at, row.end).split('\n').length;
      at = row.end + 1;
    } else {
      const cells = plain.replace(/\r$/, '').split(delimiter);
      if (cells.some((cell) => cell !== '')) yield { line, cells };
      line += 1;
      at = end + 1;
    }
  }
}

/** The row at a position, and where it ends; undefined if a quote is not closed. */
function quotedRow(text: string, start: number, delimiter: string): { cells: string[]; end: number } | undefined {
  const cells: string[] = [];
  const plain = new RegExp(`[^${delimiter}\\n]*`, 'y');
  for (let at = start; ; at += 1) {
    let cell = '';
    if (text[at] === '"') {
      const close = closingQuote(text, at + 1);
      if (close < 0) return undefined;
      cell = text.slice(at + 1, close).replaceAll('""', '"');
      at = close + 1;
    }
    plain.lastIndex = at;
    const rest = plain.exec(text)![0];
    at += rest.length;
    cells.push(cell + rest.replace(/\r$/, ''));
    if (text[at] !== delimiter) return { cells, end: at };
  }
}

/** The position of the quote that ends a field; -1 if there is none. Two quotes are one in the field. */
function closingQuote(text: string, start: number): number {
  let at = text.indexOf('"', start);
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at;
}
