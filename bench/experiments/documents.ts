/**
 * Parts of documents that are made of result files: text between `<!-- results NAME -->` and `<!-- end -->`, and drawings.
 * `test/results.test.ts` compares both with the files, so nobody edits them by hand.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Machine } from '../report.ts';
import type { Estimate, Mean } from './statistics.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a result file has besides its results. */
export interface ResultHead {
  readonly date: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
}

/** A part of a document, and the drawing that it shows. */
export interface Part {
  readonly markdown: string;
  /** SVG. */
  readonly drawing: string;
}

/** An experiment whose results are in `bench/results/NAME.json`, `docs/drawings/NAME.svg` and a document. */
export interface Experiment<R extends ResultHead = ResultHead> {
  readonly name: string;
  /** In `docs`. */
  readonly document: string;
  /** What to run. */
  readonly command: string;
  readonly part: (results: R) => Promise<Part>;
}

const notYet = ({ command }: Pick<Experiment, 'command'>): string =>
  `Not measured yet: \`${command}\` fills in this section.`;

export const resultsPath = (name: string): string => join(root, `bench/results/${name}.json`);
export const documentPath = (document: string): string => join(root, 'docs', document);
export const drawingPath = (name: string): string => join(root, `docs/drawings/${name}.svg`);

/** The part of an experiment as its result file has it; without a drawing if there is no file. */
export async function partOf<R extends ResultHead>(experiment: Experiment<R>): Promise<Partial<Part>> {
  const path = resultsPath(experiment.name);
  if (!existsSync(path)) return { markdown: notYet(experiment) };
  return experiment.part(JSON.parse(readFileSync(path, 'utf8')) as R);
}

/**
 * A document with one of its parts replaced.
 *
 * @throws Error if it has no such part.
 */
export function filled(text: string, name: string, markdown: string): string {
  const part = new RegExp(`(<!-- results ${name} -->\\n).*?(\\n<!-- end -->)`, 's');
  if (!part.test(text)) throw new Error(`There is no "<!-- results ${name} -->" … "<!-- end -->" in the document.`);
  return text.replace(part, (_, begin: string, end: string) => `${begin}${markdown}${end}`);
}

/** Writes the part of an experiment into its document, and its drawing beside it. */
export async function writeDocument<R extends ResultHead>(experiment: Experiment<R>): Promise<void> {
  const { markdown = '', drawing } = await partOf(experiment);
  const path = documentPath(experiment.document);
  writeFileSync(path, filled(readFileSync(path, 'utf8'), experiment.name, markdown));
  if (drawing === undefined) return;
  const file = drawingPath(experiment.name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, drawing);
  console.log(`Written to ${path} and ${file}`);
}

export const table = (rows: readonly (readonly string[])[]): string => {
  const [head, ...body] = rows.map((row) => `| ${row.join(' | ')} |`);
  return [head, `| ${rows[0]!.map(() => '---').join(' | ')} |`, ...body].join('\n');
};

/** A drawing with a text for those who cannot see it. */
export const picture = (name: string, text: string): string => `![${text}](drawings/${name}.svg)`;

/** When and where it was measured. */
export const measuredOn = ({ date, machine, versions }: ResultHead): string =>
  `Measured on ${date} on ${machine.cores} cores of ${machine.cpu}, Node ${versions.node}.`;

/** `61.4 ± 0.8` */
export const meanText = ({ mean, deviation }: Mean): string =>
  Number.isNaN(deviation) ? mean.toFixed(1) : `${mean.toFixed(1)} ± ${deviation.toFixed(1)}`;

/** A number with its sign: `+1.2`, `−0.3`. */
export const signed = (value: number, digits = 1): string => {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : `${value < 0 ? '−' : '+'}${text}`;
};

/** `−1.2 (−2.0 to −0.4)`; without an interval for a single value. */
export const estimateText = ({ mean, low, high }: Estimate, digits = 1): string =>
  Number.isFinite(low)
    ? `${signed(mean, digits)} (${signed(low, digits)} to ${signed(high, digits)})`
    : signed(mean, digits);
