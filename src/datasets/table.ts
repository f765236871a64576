/**
 * The rows of a list of images: CSV, TSV or JSON lines. Columns are found by their names, in any case, unless the options
 * name them.
 */

import { isRecord } from '../arguments.ts';
import { didYouMean, meantName } from '../closest-name.ts';
import type { SourceOptions } from '../data/datasets.ts';
import { FormatError, UsageError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { firstOf } from '../options.ts';
import { delimiterIn, type Row, rowsOf } from './delimited.ts';

/** A row of a list. */
export interface Listed {
  readonly line: number;
  readonly image: string;
  readonly label: string;
  /** What the column of splits has; undefined without one. */
  readonly split: string | undefined;
}

/** What a list is read from. */
export interface ListText {
  /** For messages. */
  readonly source: string;
  readonly text: string;
  /** Whether this names an image, which tells a first row from names of columns. */
  readonly isImage: (name: string) => boolean;
}

/** Names of columns, most telling first. Case, spaces, hyphens and underscores make no difference. */
const usualNames = {
  image: words(
    'path filepath imagepath imgpath filename imagefilename imagefile file image img imagename imgname imageid id name photo picture url',
  ),
  label: words('label labels class classname category target labelname classid labelid species breed y'),
  split: words('split subset partition'),
};

function words(text: string): readonly string[] {
  return text.split(' ');
}

type Role = keyof typeof usualNames;

const plainName = (name: string): string => name.toLowerCase().replace(/[\s_-]/g, '');

/** The column that pandas writes without being asked: the number of the row. */
const isIndex = (name: string): boolean => name === '' || /^unnamed: \d+$/i.test(name);

/** The columns of a list by their names. */
export interface Columns {
  readonly image: string;
  readonly label: string;
  readonly split?: string;
  /** Other columns that may have been meant by the labels. */
  readonly otherLabels: readonly string[];
}

/** A list, to be read once. */
export interface Table {
  /** Absent if the columns have no names. */
  readonly columns?: Columns;
  readonly rows: Iterable<Listed>;
}

/** @throws UsageError if columns cannot be told; while iterating, FormatError naming the line of a row that is not usable. */
export function readTable(list: ListText, options: SourceOptions): Table {
  return /\.(jsonl|ndjson)$/i.test(list.source) ? jsonTable(list, options) : delimitedTable(list, options);
}

function delimitedTable({ source, text, isImage }: ListText, options: SourceOptions): Table {
  const [, given, from] = /^sep=([,;\t])\r?\n([\s\S]*)/i.exec(text) ?? []; // as Excel reads and writes it
  const body = from ?? text;
  const delimiter = given ?? (/\.tsv$/i.test(source) ? '\t' : delimiterIn(body));
  const rows = rowsOf(body, delimiter, source);
  const first = rows.next().value;
  if (!first) throw new UsageError(`"${source}" is empty, but expected rows with an image and a label.`);
  const names = first.cells.map((cell) => cell.trim());
  const isHeader =
    options.imageColumn !== undefined || options.labelColumn !== undefined || names.length !== 2 || !isImage(names[0]!);
  if (!isHeader) return { rows: listedRows(chained(first, rows), { image: 0, label: 1 }, source) };
  const columns = columnsIn(names, options, source);
  const at = (name: string) => names.indexOf(name);
  const split = columns.split === undefined ? undefined : at(columns.split);
  const places = { image: at(columns.image), label: at(columns.label), split };
  return { columns, rows: listedRows(rows, places, source) };
}

function* chained(first: Row, rest: Iterable<Row>): Generator<Row, void, undefined> {
  yield first;
  yield* rest;
}

interface Places {
  readonly image: number;
  readonly label: number;
  readonly split?: number | undefined;
}

function* listedRows(rows: Iterable<Row>, { image, label, split }: Places, source: string): Generator<Listed> {
  for (const { line, cells } of rows) {
    const cell = (place: number) => cells[place]?.trim() ?? '';
    yield checked(
      { line, image: cell(image), label: cell(label), split: split === undefined ? undefined : cell(split) },
      source,
    );
  }
}

function jsonTable({ source, text }: ListText, options: SourceOptions): Table {
  const rows = jsonRows(text, source);
  const first = rows.next().value;
  if (!first)
    throw new UsageError(`"${source}" is empty, but expected an object with an image and a label in each line.`);
  const columns = columnsIn(Object.keys(first.values), options, source);
  return { columns, rows: listedObjects(first, rows, columns, source) };
}

interface JsonRow {
  readonly line: number;
  readonly values: Readonly<Record<string, unknown>>;
}

function* jsonRows(text: string, source: string): Generator<JsonRow, void, undefined> {
  let line = 1;
  for (let at = 0; at < text.length; line++) {
    const next = text.indexOf('\n', at);
    const end = next < 0 ? text.length : next;
    const row = text.slice(at, end).trim();
    at = end + 1;
    if (row === '') continue;
    const values = parseJson(row, `"${source}", line ${line}`);
    if (!isRecord(values))
      throw new FormatError(`"${source}", line ${line} is not an object with an image and a label.`);
    yield { line, values };
  }
}

function* listedObjects(first: JsonRow, rest: Iterable<JsonRow>, columns: Columns, source: string): Generator<Listed> {
  const listed = ({ line, values }: JsonRow): Listed => {
    const cell = (name: string) => {
      const value = values[name];
      return typeof value === 'string'
        ? value.trim()
        : typeof value === 'number' || typeof value === 'boolean'
          ? `${value}`
          : '';
    };
    const split = columns.split === undefined ? undefined : cell(columns.split);
    return checked({ line, image: cell(columns.image), label: cell(columns.label), split }, source);
  };
  yield listed(first);
  for (const row of rest) yield listed(row);
}

function checked(row: Listed, source: string): Listed {
  const missing = row.image === '' ? 'image' : row.label === '' ? 'label' : row.split === '' ? 'split' : undefined;
  if (missing === undefined) return row;
  throw new FormatError(`"${source}", line ${row.line} has no ${missing}. Add it, or remove the line.`);
}

/** The names among `names` that usually have a role, most telling first. */
const named = (names: readonly string[], role: Role): string[] =>
  usualNames[role].flatMap((usual) => names.filter((name) => plainName(name) === usual));

function columnsIn(all: readonly string[], { imageColumn, labelColumn }: SourceOptions, source: string): Columns {
  const names = all.filter((name) => !isIndex(name));
  for (const column of [imageColumn, labelColumn]) if (column !== undefined) checkColumn(column, all, source);
  const [split] = named(names, 'split').filter((name) => name !== imageColumn && name !== labelColumn);
  const free = names.filter((name) => name !== split && name !== imageColumn && name !== labelColumn);
  const images = named(free, 'image');
  const labels = named(free, 'label');
  const only = (taken: string | undefined) => {
    const rest = free.filter((name) => name !== taken);
    return rest.length === 1 ? rest[0] : undefined;
  };
  // two columns of which none is known: the image comes first
  const image =
    imageColumn ?? images[0] ?? (free.length === 2 ? free.find((name) => name !== labels[0]) : only(labels[0]));
  const label = labelColumn ?? labels[0] ?? only(image);
  if (image === undefined || label === undefined) {
    throw unclear(source, all, image === undefined ? 'image' : 'label');
  }
  return {
    image,
    label,
    ...(split !== undefined && { split }),
    otherLabels: labelColumn === undefined ? labels.slice(1) : [],
  };
}

function unclear(source: string, all: readonly string[], role: 'image' | 'label'): UsageError {
  if (all.length < 2) {
    const only = all.length === 0 ? 'no columns' : `only the column "${all[0]}"`;
    return new UsageError(`"${source}" has ${only}, but expected one with images and one with labels. Add the other.`);
  }
  const examples = `such as ${usualNames[role].slice(0, 3).join(', ')}`;
  return new UsageError(
    `"${source}" has the columns ${quoted(all)}, but none with a usual name for the ${role}s, ${examples}. Name the one with the ${role}s (${role}Column, --${role}-column).`,
  );
}

function checkColumn(column: string, names: readonly string[], source: string): void {
  if (names.includes(column)) return;
  const meant = meantName(column, names);
  throw new UsageError(
    `"${source}" has no column "${column}".${didYouMean(meant && `"${meant}"`) || ` Its columns are ${quoted(names)}.`}`,
  );
}

const quoted = (names: readonly string[]): string =>
  firstOf(
    names.map((name) => `"${name}"`),
    8,
  );
