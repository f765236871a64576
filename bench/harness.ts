/**
 * Measures contenders in turn: A B C A B C …, never two at once. A machine's speed varies from minute to minute, so the
 * reliable figures are ratios: they are computed within each round, and reported as the median of the rounds with its
 * spread.
 *
 *   const results = await alternate([ours, theirs], { rounds: 7, steps: 3 });
 *   const { median } = ratio(results[0]!, results[1]!);
 *
 * `children.ts` runs programs as contenders; `report.ts` prints results and writes them to files.
 */
import { cpus } from 'node:os';

/** A running contender. */
export interface Runner {
  /** Performs one measured run and returns its milliseconds. */
  run(): Promise<number>;
  /** Peak memory so far in bytes; undefined if the system does not report it. */
  peak(): number | undefined;
  /** CPU time so far in seconds; undefined if the system does not report it. */
  used?(): number | undefined;
  stop(): Promise<void>;
  readonly facts: Facts;
}

/** Facts that a contender reports after starting. */
export interface Facts {
  /** Number of trained parameters, to check that all contenders train the same network. */
  readonly parameters?: number;
  /** Versions of its dependencies, by name. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Its logits for the common images. */
  readonly logits?: readonly number[];
}

export interface Contender {
  readonly name: string;
  /** @throws Unavailable if this machine cannot run it. */
  start(): Promise<Runner>;
}

/** A contender cannot run on this machine and is skipped. The message says why. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

export interface AlternateOptions {
  readonly rounds: number;
  /** Measured runs per turn. The result of the round is their median. */
  readonly steps: number;
  /** Unmeasured runs before the first round. Default: 2. */
  readonly warmup?: number;
  /** Unmeasured runs at the start of every turn, for fast contenders with cold caches. Default: 0. */
  readonly settle?: number;
  /** Start a contender for each turn and stop it afterwards, if they do not fit in memory together. */
  readonly restart?: boolean;
  /** How often to repeat a turn in which other programs used more than a twentieth of the cores. Default: 0. */
  readonly patience?: number;
  /** Called for each skipped contender. By default, a message is printed once for all cases. */
  readonly onSkip?: (name: string, reason: string) => void;
}

export interface Result {
  readonly name: string;
  readonly facts: Facts;
  /** Milliseconds per run, for each round. */
  readonly milliseconds: readonly number[];
  /** Peak memory in bytes at the end of each round's turn. */
  readonly peaks: readonly number[];
  /** The fraction of the cores that other programs used during each turn, if the system reports it. */
  readonly disturbance: readonly number[];
}

/** Runs the contenders in turn and skips those that cannot run on this machine. */
export async function alternate(contenders: readonly Contender[], options: AlternateOptions): Promise<Result[]> {
  const { rounds, restart = false, onSkip = saySkipped } = options;
  const entries: Entry[] = [];
  try {
    for (const contender of contenders) {
      const entry = await enter(contender, options.warmup ?? 2, onSkip);
      if (!entry) continue;
      entries.push(entry);
      if (restart) await entry.leave();
    }
    for (let round = 0; round < rounds; round++) for (const entry of entries) await takeTurn(entry, options);
    return entries.map((entry) => entry.result);
  } finally {
    for (const entry of entries) await entry.leave();
  }
}

/** A contender's runner, while started, and its results so far. */
class Entry {
  readonly milliseconds: number[] = [];
  readonly peaks: number[] = [];
  readonly disturbance: number[] = [];
  readonly contender: Contender;
  facts: Facts = {};
  #runner: Runner | undefined;

  constructor(contender: Contender) {
    this.contender = contender;
  }

  /** The runner, started and warmed up if necessary. */
  async runner(warmup: number): Promise<Runner> {
    if (this.#runner) return this.#runner;
    this.#runner = await this.contender.start();
    this.facts = this.#runner.facts;
    for (let i = 0; i < warmup; i++) await this.#runner.run();
    return this.#runner;
  }

  get result(): Result {
    const { facts, milliseconds, peaks, disturbance } = this;
    return { name: this.contender.name, facts, milliseconds, peaks, disturbance };
  }

  async leave(): Promise<void> {
    const runner = this.#runner;
    this.#runner = undefined;
    await runner?.stop();
  }
}

async function enter(
  contender: Contender,
  warmup: number,
  onSkip: (name: string, reason: string) => void,
): Promise<Entry | undefined> {
  const entry = new Entry(contender);
  try {
    await entry.runner(warmup);
    return entry;
  } catch (error) {
    await entry.leave();
    if (!(error instanceof Unavailable)) throw error;
    onSkip(contender.name, error.message);
    return undefined;
  }
}

async function takeTurn(entry: Entry, options: AlternateOptions): Promise<void> {
  const { warmup = 2, settle = 0, restart, patience = 0 } = options;
  const runner = await entry.runner(warmup);
  for (let i = 0; i < settle; i++) await runner.run();
  let turn = await measureTurn(runner, options.steps);
  for (let again = 0; again < patience && (turn.others ?? 0) > 0.05; again++) {
    const next = await measureTurn(runner, options.steps);
    if (next.others! < turn.others!) turn = next;
  }
  entry.milliseconds.push(turn.milliseconds);
  if (turn.others !== undefined) entry.disturbance.push(turn.others);
  const peak = runner.peak();
  if (peak !== undefined) entry.peaks.push(peak);
  if (restart) await entry.leave();
}

/** The median of some runs, and the fraction of the cores that other programs used meanwhile. */
async function measureTurn(runner: Runner, steps: number): Promise<{ milliseconds: number; others?: number }> {
  const before = { ...allUsed(), own: runner.used?.() };
  const times: number[] = [];
  for (let i = 0; i < steps; i++) times.push(await runner.run());
  const after = { ...allUsed(), own: runner.used?.() };
  const milliseconds = spread(times).median;
  if (before.own === undefined || after.own === undefined) return { milliseconds };
  const others = after.busy - before.busy - (after.own - before.own);
  return { milliseconds, others: Math.max(0, others / (after.all - before.all || 1)) };
}

/** Busy and total seconds of all cores since the machine started. */
function allUsed(): { busy: number; all: number } {
  const times = cpus().map(({ times }) => times);
  const idle = times.reduce((sum, core) => sum + core.idle, 0) / 1000;
  const all = times.reduce((sum, { user, nice, sys, irq, idle }) => sum + user + nice + sys + irq + idle, 0) / 1000;
  return { busy: all - idle, all };
}

const skipped = new Set<string>();

function saySkipped(name: string, reason: string): void {
  const line = `Skipping ${name}: ${reason}`;
  if (!skipped.has(line)) console.log(line);
  skipped.add(line);
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  /** The first and the third quartile. */
  readonly low: number;
  readonly high: number;
}

/** Median, minimum and quartiles of some values, with linear interpolation. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
    return below + (above - below) * (place % 1);
  };
  return { median: at(0.5), min: at(0), low: at(0.25), high: at(0.75) };
}

/** The ratio of a's values to b's in each round: below 1 if a's are smaller. */
export function ratio(
  a: Result,
  b: Result,
  figures: (result: Result) => readonly number[] = (result) => result.milliseconds,
): Spread {
  const below = figures(b);
  return spread(figures(a).map((value, round) => value / below[round]!));
}
