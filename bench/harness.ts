/**
 * Contenders measured in turn, in one go: A B C A B C …, never two at once. Machines differ from minute to minute, so the
 * figure to trust is a ratio: it is computed within each round, and the median of the rounds is given with its spread.
 *
 *   const results = await alternate([ours, theirs], { rounds: 7, steps: 3 });
 *   const { median } = ratio(results[0]!, results[1]!);
 *
 * `children.ts` makes contenders of programs; `report.ts` prints results and writes them to files.
 */
import { cpus } from 'node:os';

/** One contender at work. */
export interface Runner {
  /** Does the measured thing once and gives its milliseconds. */
  run(): Promise<number>;
  /** The most memory that it held so far, in bytes; undefined where the system does not tell. */
  peak(): number | undefined;
  /** The processor time that it used so far, in seconds; undefined where the system does not tell. */
  used?(): number | undefined;
  stop(): Promise<void>;
  readonly facts: Facts;
}

/** What a contender says of itself when it has started. */
export interface Facts {
  /** Trained parameters, to see that all train the same net. */
  readonly parameters?: number;
  /** Name to version of what it runs on. */
  readonly versions?: Readonly<Record<string, string>>;
  /** What it makes of the images that all are given. */
  readonly logits?: readonly number[];
}

export interface Contender {
  readonly name: string;
  /** @throws Unavailable where this machine cannot run it. */
  start(): Promise<Runner>;
}

/** What keeps a contender from running here; it is skipped, and the message says why. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

export interface AlternateOptions {
  readonly rounds: number;
  /** Measured runs of a contender in its turn; its figure for the round is their median. */
  readonly steps: number;
  /** Runs of each before the first round, not measured; 2 unless given. */
  readonly warmup?: number;
  /** Runs at the start of every turn, not measured; 0 unless given. For what is quick and finds its caches gone. */
  readonly settle?: number;
  /** Start a contender for each turn and stop it afterwards: where all together do not fit in memory. */
  readonly restart?: boolean;
  /** How often a turn in which others used more than a twentieth of the cores is taken again; 0 unless given. */
  readonly patience?: number;
  /** Told of each contender that is left out; unless given, it is printed, once for all cases. */
  readonly onSkip?: (name: string, reason: string) => void;
}

export interface Result {
  readonly name: string;
  readonly facts: Facts;
  /** Milliseconds of one run: a figure per round. */
  readonly milliseconds: readonly number[];
  /** Bytes: the peak at the end of each round's turn. */
  readonly peaks: readonly number[];
  /** The share of the cores that other programs used during each turn, as far as the system tells. */
  readonly disturbance: readonly number[];
}

/** Runs the contenders in turn; those that cannot run here are skipped. */
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

/** A contender's place in the list: its runner while it is started, its figures so far. */
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

  /** The runner, started and warmed up unless it is already. */
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

/** The median of some runs, and the share of the cores that others used meanwhile. */
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

/** Seconds that all cores were busy, and that passed on all of them, since the machine started. */
function allUsed(): { busy: number; all: number } {
  const times = cpus().map(({ times }) => times);
  const idle = times.reduce((sum, core) => sum + core.idle, 0) / 1000;
  const all = times.reduce((sum, { user, nice, sys, irq, idle }) => sum + user + nice + sys + irq + idle, 0) / 1000;
  return { busy: all - idle, all };
}

const skipped = new Set<string>();

function saySkipped(name: string, reason: string): void {
  const line = `${name} is skipped: ${reason}`;
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

/** Median, least and quartiles of some figures, interpolated between neighbors. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
    return below + (above - below) * (place % 1);
  };
  return { median: at(0.5), min: at(0), low: at(0.25), high: at(0.75) };
}

/** How a's figures stand to b's, round by round: below 1 where a is less. */
export function ratio(
  a: Result,
  b: Result,
  figures: (result: Result) => readonly number[] = (result) => result.milliseconds,
): Spread {
  const below = figures(b);
  return spread(figures(a).map((value, round) => value / below[round]!));
}
