/**
 * How long a graph takes on this machine, and which of the choices that inference leaves open are fastest here. Variants
 * of a graph are timed in turn, so that a machine that slows down slows them all; before each turn the threads of the
 * session before, which spin for a while in wait of more, are given time to fall asleep.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Tuning } from '../cache/tuning.ts';
import { UsageError } from '../errors.ts';
import { cost } from '../graph/cost.ts';
import type { Graph } from '../graph/graph.ts';
import { type InferenceOptions, lowerInference } from '../lower/inference.ts';
import { fillBytes, fillNormal, uniform } from '../random.ts';
import { type GroupMerge, groupMergeOf, isProfitable } from '../rewrite/merge-groups.ts';
import { type Machine, thisMachine } from '../runtime/machine.ts';
import { Session, type SessionOptions } from '../runtime/session.ts';
import { type Tensor, tensor } from '../tensor.ts';

export interface BenchmarkOptions {
  /** Images in a run; 1 unless given. */
  readonly batch?: number;
  /** Threads within one operator; by default as many as there are cores. */
  readonly threads?: number;
  /** Timed runs; 20 unless given. */
  readonly runs?: number;
}

export interface Benchmark {
  readonly batch: number;
  readonly threads: number;
  readonly runs: number;
  /** Of one run: the median, and the fastest. */
  readonly milliseconds: number;
  readonly fastest: number;
  readonly imagesPerSecond: number;
  /** Two operations for each multiply-add of the graph as it was given; zeros put in for speed do not count. */
  readonly gflops: number;
}

/**
 * Times a graph with weights, lowered for this machine, on random input.
 *
 * @throws UsageError for a number that cannot be, or a graph with an input of unknown size.
 * @example const { milliseconds, gflops } = await benchmark(model.graph, { batch: 8 });
 */
export async function benchmark(
  graph: Graph,
  options: BenchmarkOptions = {},
  mergeGroups: InferenceOptions['mergeGroups'] = {},
): Promise<Benchmark> {
  const machine = await thisMachine();
  const { batch, threads, runs } = checked(options, machine);
  const lowered = lowerInference(graph, { block: machine.block, mergeGroups }).graph;
  const [times] = await timeInTurn([{ graph: lowered, batch, threads }], runs);
  const milliseconds = median(times!);
  return {
    batch,
    threads,
    runs,
    milliseconds,
    fastest: Math.min(...times!),
    imagesPerSecond: (1000 * batch) / milliseconds,
    gflops: (2e-6 * macsOf(graph, batch)) / milliseconds,
  };
}

/** Multiply-adds of a run; a graph made for one batch size states them for that. */
function macsOf(graph: Graph, batch: number): number {
  const { macs } = cost(graph);
  return typeof graph.inputs[0]?.dims?.[0] === 'number' ? macs : macs * batch;
}

/** One choice that was tried. */
export interface Trial {
  readonly choice: string;
  /** Of the fastest run. */
  readonly milliseconds: number;
}

export interface TuneResult {
  readonly tuning: Tuning;
  readonly trials: readonly Trial[];
}

/**
 * Times what inference can choose, on this graph: for each width of narrow groups, whether to merge them; the number of
 * threads; and what a batch in two halves, each in a session with half of the threads, would take at best.
 *
 * @throws UsageError as `benchmark` does.
 * @example const { tuning } = await tune(model.graph, { batch: 8 });
 */
export async function tune(graph: Graph, options: BenchmarkOptions = {}): Promise<TuneResult> {
  const machine = await thisMachine();
  const { batch, threads, runs } = checked(options, machine);
  const narrow = narrowGroups(graph, machine.block);
  const widths = [...new Set(narrow.map(({ channels }) => channels[0]))].sort((a, b) => a - b);
  const none = Object.fromEntries(widths.map((width) => [width, false]));
  const lowered = (mergeGroups: InferenceOptions['mergeGroups']) =>
    lowerInference(graph, { block: machine.block, mergeGroups }).graph;
  const graphs = [lowered(none), ...widths.map((width) => lowered({ ...none, [width]: true }))];
  const [plain, ...wide] = await fastestOf(
    graphs.map((graph) => ({ graph, batch, threads })),
    runs,
  );
  const rule = new Set(narrow.filter((it) => isProfitable(it, machine.block!)).map(({ channels }) => channels[0]));
  const mergeGroups = Object.fromEntries(
    widths.map((width, i) => [width, wide[i]! < plain! * (rule.has(width) ? 1 + margin : 1 - margin)]),
  );
  const best = lowered(mergeGroups);
  const counts = threadCounts(machine.cores);
  const halved = batch % 2 === 0 && machine.cores > 1;
  const half = { graph: best, batch: batch / 2, threads: Math.floor(machine.cores / 2) };
  const runsOf = [...counts.map((threads) => ({ graph: best, batch, threads })), ...(halved ? [half] : [])];
  const times = await fastestOf(runsOf, runs);
  const threadsOfBest = fewerThreads(counts, times);
  const trials = [
    { choice: 'groups as they are', milliseconds: plain! },
    ...widths.map((width, i) => ({ choice: `groups of ${width} merged`, milliseconds: wide[i]! })),
    ...counts.map((count, i) => ({ choice: `${count} threads`, milliseconds: times[i]! })),
    ...(halved ? [{ choice: 'two halves, at best', milliseconds: times.at(-1)! }] : []),
  ];
  return { tuning: { mergeGroups, threads: threadsOfBest }, trials };
}

/** The groups that could be widened. */
function narrowGroups(graph: Graph, block: number | undefined): GroupMerge[] {
  if (!block) return [];
  const nodes = [...lowerInference(graph).graph.nodes];
  return nodes.flatMap((node) => groupMergeOf(node, block) ?? []).filter(({ factor }) => factor);
}

/** All cores, unless fewer threads are clearly faster: what else the machine does right now slows the most threads most. */
function fewerThreads(counts: readonly number[], times: readonly number[]): number {
  const all = counts.length - 1;
  const best = counts.reduce((a, _, i) => (times[i]! < times[a]! ? i : a), all);
  return counts[times[best]! < 0.9 * times[all]! ? best : all]!;
}

/** The rule decides where the difference is smaller. */
const margin = 0.03;

/** Each variant's fastest run: what else the machine does can only add to it. */
const fastestOf = async (variants: readonly Timed[], runs: number): Promise<number[]> =>
  (await timeInTurn(variants, runs)).map((times) => Math.min(...times));

/** 1, 2, 4 … and the number of cores. */
function threadCounts(cores: number): number[] {
  const counts = [];
  for (let count = 1; count < cores; count *= 2) counts.push(count);
  return [...counts, cores];
}

function checked({ batch = 1, threads, runs = 20 }: BenchmarkOptions, { cores }: Machine) {
  const numbers = { batch, threads: threads ?? cores, runs };
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new UsageError(`${name} = ${value} should be a whole number of at least 1.`);
  }
  return numbers;
}

interface Timed extends Pick<SessionOptions, 'threads'> {
  readonly graph: Graph;
  readonly batch: number;
}

/** Milliseconds after which a session's threads have fallen asleep. */
const calm = 30;

/** Milliseconds of each run; the variants take turns, and each turn begins with a run that does not count. */
async function timeInTurn(variants: readonly Timed[], runs: number): Promise<number[][]> {
  const opened: { session: Session; feeds: ReadonlyMap<string, Tensor> }[] = [];
  const turns = Math.min(5, runs);
  const times = variants.map((): number[] => []);
  try {
    for (const { graph, batch, threads } of variants) {
      opened.push({ session: await Session.open(graph, { threads: threads! }), feeds: randomInput(graph, batch) });
    }
    for (let turn = 0; turn < turns; turn++) {
      for (const [i, { session, feeds }] of opened.entries()) {
        await pause(calm);
        await session.run(feeds);
        const count = Math.floor((runs * (turn + 1)) / turns) - Math.floor((runs * turn) / turns);
        for (let k = 0; k < count; k++) {
          const began = performance.now();
          await session.run(feeds);
          times[i]!.push(performance.now() - began);
        }
      }
    }
    return times;
  } finally {
    for (const { session } of opened) await session.dispose();
  }
}

/** Normal numbers, or bytes where it takes such, for each input; its first dimension, where free, is the batch. */
function randomInput({ inputs, initializers }: Graph, batch: number): Map<string, Tensor> {
  const fed = inputs.filter((value) => !initializers.has(value));
  return new Map(
    fed.map(({ name, dims, dtype }) => {
      const sizes = dims?.map((dim, axis) => (typeof dim === 'string' && axis === 0 ? batch : dim)) as number[];
      const isTaken = dtype === 'float32' || dtype === 'uint8';
      if (!isTaken || !sizes?.every((dim) => typeof dim === 'number') || sizes[0] !== batch) {
        const is = `${dtype} [${dims ?? '?'}]`;
        throw new UsageError(
          `The input "${name}" is ${is}, but should be float32 or uint8 with a batch of ${batch} or free.`,
        );
      }
      const input = tensor(dtype, sizes);
      if (input.dtype === 'uint8') fillBytes(input.data, uniform(1));
      else fillNormal(input.data as Float32Array, 1, uniform(1));
      return [name, input];
    }),
  );
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
