/**
 * What all benchmarks share: the command line, a description of the machine, tables, and results in JSON.
 *
 *   main(async () => {
 *     const { quick, json } = commandLine({ network: { type: 'string' } });
 *     …
 *     await writeResults(json, 'train', cases);
 *   });
 *
 * A result file has neither host names nor paths:
 * { bench, date, machine, load, cases: [{ name, settings, contenders }] }.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type Result, ratio, type Spread, spread } from './harness.ts';

/** Runs a benchmark. Prints errors as a sentence and defects with their stack, with exit code 1. */
export async function main(bench: () => Promise<void>): Promise<void> {
  try {
    await bench();
  } catch (error) {
    const { name, message, stack, code = '' } = error as Error & { code?: string };
    const unbuilt = code === 'ERR_MODULE_NOT_FOUND' && message.includes('dist');
    const sentence = ['Error', 'UsageError', 'FormatError'].includes(name) || code.startsWith('ERR_PARSE_ARGS');
    console.error(unbuilt ? 'The package is not built. Run `npm run build` first.' : sentence ? message : stack);
    process.exitCode = 1;
  }
  process.exit();
}

type OptionsConfig = NonNullable<ParseArgsConfig['options']>;

const common = {
  rounds: { type: 'string' },
  steps: { type: 'string' },
  patience: { type: 'string', default: '0' },
  quick: { type: 'boolean', default: false },
  json: { type: 'string' },
} as const satisfies OptionsConfig;

type CommandLine<O extends OptionsConfig> = ReturnType<
  typeof parseArgs<{ options: typeof common & O; allowPositionals: true }>
>;

/**
 * Parses the command line with the options of every benchmark (--rounds N, --steps N, --patience N, --quick,
 * --json FILE) and additional ones.
 *
 * @throws Error for an unknown option.
 */
export function commandLine<const O extends OptionsConfig>(own: O): CommandLine<O> {
  return parseArgs({ options: { ...common, ...own }, allowPositionals: true });
}

/** A number from the command line. */
export function count(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  const least = ['patience', 'cache'].includes(option) ? 0 : 1;
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`--${option} is ${text}, but expected a whole number of at least ${least}.`);
}

/** Numbers separated by commas. */
export const counts = (option: string, text: string | undefined, otherwise: readonly number[]): readonly number[] =>
  text === undefined ? otherwise : text.split(',').map((part) => count(option, part, 1));

/**
 * Aborted by Ctrl-C, for benchmarks that can be continued later; the exit code then is 130. Another Ctrl-C ends the process at
 * once, unless it follows within a second: a program that starts this one may pass on what the terminal has sent to both.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let since = Infinity;
  const onSignal = () => {
    if (performance.now() - since > 1000) process.exit(130);
    if (stop.signal.aborted) return;
    console.log('Stopping after this step. Repeat the command to go on.');
    process.exitCode = 130;
    since = performance.now();
    stop.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  return stop.signal;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** In GiB. */
  readonly memory: number;
  /** Instruction sets that matter for matrix products. */
  readonly instructions: readonly string[];
  readonly system: string;
}

export function machine(): Machine {
  const [cpu] = cpus();
  const flags = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8').split('\n') : [];
  const known = new Set(flags.find((line) => line.startsWith('flags'))?.split(/\s+/));
  return {
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: Math.round(totalmem() / 2 ** 30),
    instructions: ['avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_tile'].filter((flag) => known.has(flag)),
    system: `${process.platform} ${process.arch}`,
  };
}

/** The load average over the last minute, before measuring. */
const load = Math.round(10 * loadavg()[0]!) / 10;

/** Prints the machine on one line, and a warning if it is busy. */
export function introduce(): void {
  const { cpu, cores, memory, instructions } = machine();
  console.log([cpu, `${cores} cores`, `${memory} GiB`, ...instructions].join(', '));
  if (load < 0.3) return;
  console.log(`The load is ${load}: other programs are or were running, so results are noisier.`);
}

/** One comparison of the first contender, this package, with the others. */
export interface Case {
  readonly name: string;
  readonly settings: Readonly<Record<string, string | number>>;
  /** Floating-point operations per run, for the fraction of the machine's peak. */
  readonly operations?: number;
  readonly contenders: readonly Row[];
}

export interface Row {
  readonly name: string;
  readonly milliseconds: Spread;
  /** Peak resident memory in megabytes. */
  readonly megabytes?: Spread;
  /** Ratio of this package to this contender, per round. */
  readonly ratio?: Spread;
  readonly memoryRatio?: Spread;
  readonly shareOfPeak?: number;
  /** The fraction of the cores that other programs used meanwhile. */
  readonly disturbance?: number;
  readonly versions?: Readonly<Record<string, string>>;
}

export interface PeakFile {
  readonly machine: Machine;
  /** GFLOP/s by number of threads. */
  readonly peak: Readonly<Record<string, number>>;
}

export const resultsFolder = fileURLToPath(new URL('results/', import.meta.url));

/** GFLOP/s by number of threads from bench/results/peak.json; undefined if there is none for this machine. */
export function measuredPeak(): PeakFile['peak'] | undefined {
  const path = `${resultsFolder}peak.json`;
  if (!existsSync(path)) return undefined;
  const file = JSON.parse(readFileSync(path, 'utf8')) as PeakFile;
  return JSON.stringify(file.machine) === JSON.stringify(machine()) ? file.peak : undefined;
}

/** The fraction of the peak for this many operations in this many milliseconds. */
export function shareOfPeak(operations: number, milliseconds: number, threads: number): number | undefined {
  const peak = measuredPeak()?.[threads];
  return peak && operations / (milliseconds * 1e6) / peak;
}

/** The results of `alternate` as a case. This package is first, unless it was skipped. */
export function toCase(
  name: string,
  settings: Case['settings'],
  results: readonly Result[],
  operations?: number,
): Case {
  const [ours, ...rivals] = results;
  const row = (result: Result): Row => {
    const milliseconds = spread(result.milliseconds);
    const share = operations && shareOfPeak(operations, milliseconds.median, Number(settings.threads));
    return {
      name: result.name,
      milliseconds,
      ...(result.peaks.length > 0 && { megabytes: spread(megabytes(result)) }),
      ...(share && { shareOfPeak: share }),
      ...(result.disturbance.length > 0 && { disturbance: spread(result.disturbance).median }),
      ...(result.facts.versions && { versions: result.facts.versions }),
    };
  };
  const against = (result: Result): Row => ({
    ...row(result),
    ratio: ratio(ours!, result),
    ...(ours!.peaks.length > 0 && result.peaks.length > 0 && { memoryRatio: ratio(ours!, result, megabytes) }),
  });
  const contenders = ours ? [row(ours), ...rivals.map(against)] : [];
  return { name, settings, ...(operations && { operations }), contenders };
}

const megabytes = ({ peaks }: Result): number[] => peaks.map((bytes) => bytes / 1e6);

/** Prints a case, one contender per line, with the ratio to this package. */
export function printCase({ name, settings, contenders }: Case, of: 'time' | 'memory' = 'time'): void {
  const words = Object.entries(settings).map(([key, value]) => `${key} ${value}`);
  console.log(`\n${[name, ...words].join(', ')}`);
  const ours = contenders[0]?.name ?? 'ours';
  const head = ['', 'median', 'minimum', 'quartiles', 'peak memory', 'of the peak', `${ours} : this`];
  const rows = contenders.map((row) => {
    const share = row.shareOfPeak === undefined ? '' : `${(100 * row.shareOfPeak).toFixed(0)} %`;
    const shown = of === 'time' ? row.ratio : row.memoryRatio;
    const { median, min, low, high } = row.milliseconds;
    const times = [`${short(median)} ms`, short(min), `${short(low)} to ${short(high)}`];
    return [row.name, ...times, row.megabytes ? `${row.megabytes.median.toFixed(0)} MB` : '', share, ratioText(shown)];
  });
  printTable([head, ...rows]);
  sayDisturbed(contenders.flatMap((row) => row.disturbance ?? []));
}

/** Prints a warning if other programs used more than a twentieth of the cores. */
export function sayDisturbed(shares: readonly number[]): void {
  const most = Math.max(0, ...shares);
  if (most <= 0.05) return;
  console.log(
    `  Other programs used up to ${(100 * most).toFixed(0)} % of the cores meanwhile. --patience 20 repeats such turns.`,
  );
}

const ratioText = (ratio: Spread | undefined): string =>
  ratio ? `${ratio.median.toPrecision(3)} (${ratio.low.toPrecision(3)} to ${ratio.high.toPrecision(3)})` : '';

/** Formats a number with four digits. */
export const short = (value: number): string => (value >= 1000 ? value.toFixed(0) : value.toPrecision(4));

/** Prints rows as columns, the first left-aligned and the others right-aligned. Columns without values are skipped. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const columns = rows[0]!.map((_, i) => i).filter((i) => i === 0 || rows.slice(1).some((row) => row[i]));
  const widths = columns.map((i) => Math.max(...rows.map((row) => row[i]!.length)));
  for (const row of rows) {
    const cells = columns.map((i, c) => (c === 0 ? row[i]!.padEnd(widths[c]!) : row[i]!.padStart(widths[c]!)));
    console.log(`  ${cells.join('   ')}`);
  }
}

/** Writes the results and the machine atomically to a file, if given. */
export async function writeResults(file: string | undefined, bench: string, contents: object): Promise<void> {
  if (file === undefined) return;
  const date = new Date().toISOString().slice(0, 10);
  const versions = { node: process.versions.node };
  const document = { bench, date, machine: machine(), load, versions, ...contents };
  const rounded = (_: string, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
  const temporary = `${file}.${randomUUID()}.tmp`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(temporary, `${JSON.stringify(document, rounded, 2)}\n`);
  await rename(temporary, file);
  console.log(`\nWritten to ${file}`);
}
