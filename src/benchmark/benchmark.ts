/** Measures how long a graph takes on this machine, and which inference settings are fastest. */

import { Session, type SessionOptions, thisMachine } from '#platform';
import { checkArgument, checkOptions } from '../arguments.ts';
import type { Tuning } from '../cache/tuning.ts';
import { UsageError } from '../errors.ts';
import { cost } from '../graph/cost.ts';
import { type Graph, graphKind } from '../graph/graph.ts';
import { type InferenceOptions, lowerInference } from '../lower/inference.ts';
import { maxThreads, resolve, whole } from '../options.ts';
import { type GroupMerge, groupMergeOf, isProfitable } from '../rewrite/merge-groups.ts';
import { randomInputs } from './inputs.ts';
import { type Contender, median, timeInTurn } from './timing.ts';

/** What is timed, and how often. */
export interface BenchmarkOptions {
  /** Images per run. Default: 1. */
  readonly batch?: number;
  /** Threads per operator. Default: the number of cores. */
  readonly threads?: number;
  /** Number of timed runs. Default: 20. */
  readonly runs?: number;
}

export interface Benchmark {
  readonly batch: number;
  readonly threads: number;
  readonly runs: number;
  /** Median duration of a run. */
  readonly milliseconds: number;
  readonly fastest: number;
  readonly imagesPerSecond: number;
  /** Two operations per multiply-add of the given graph. Zeros that were added for speed do not count. */
  readonly gflops: number;
}

/**
 * Times a graph with weights, lowered for this machine, on random inputs.
 *
 * @throws UsageError for an invalid number, or a graph whose input size is unknown.
 * @example const { milliseconds, gflops } = await benchmark(model.graph, { batch: 8 });
 */
export async function benchmark(
  graph: Graph,
  options: BenchmarkOptions = {},
  mergeGroups: InferenceOptions['mergeGroups'] = {},
): Promise<Benchmark> {
  checkArgument('graph', graph, graphKind);
  checkOptions(fields, options);
  const machine = await thisMachine();
  const { batch, threads, runs } = resolve(fields, { ...options, cores: machine.cores });
  const lowered = lowerInference(graph, { block: machine.block, mergeGroups }).graph;
  const [times] = await timesOf([{ graph: lowered, batch, threads }], runs);
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

/** Multiply-adds per run. The cost of a graph with a fixed batch size already includes the batch. */
function macsOf(graph: Graph, batch: number): number {
  const { macs } = cost(graph);
  return typeof graph.inputs[0]?.dims?.[0] === 'number' ? macs : macs * batch;
}

/** One setting that was timed. */
export interface Trial {
  readonly choice: string;
  /** Duration of the fastest run. */
  readonly milliseconds: number;
}

export interface TuneResult {
  readonly tuning: Tuning;
  readonly trials: readonly Trial[];
}

/**
 * Times the inference settings for this graph: for each width of narrow groups, whether to merge them; the number of
 * threads; and a lower bound for splitting the batch between two sessions with half of the threads each.
 *
 * @throws UsageError in the same cases as `benchmark`.
 * @example const { tuning } = await tune(model.graph, { batch: 8 });
 */
export async function tune(graph: Graph, options: BenchmarkOptions = {}): Promise<TuneResult> {
  checkArgument('graph', graph, graphKind);
  checkOptions(fields, options);
  const machine = await thisMachine();
  const { batch, threads, runs } = resolve(fields, { ...options, cores: machine.cores });
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
    { choice: 'groups not merged', milliseconds: plain! },
    ...widths.map((width, i) => ({ choice: `groups of ${width} merged`, milliseconds: wide[i]! })),
    ...counts.map((count, i) => ({ choice: `${count} threads`, milliseconds: times[i]! })),
    ...(halved ? [{ choice: 'two half batches, at best', milliseconds: times.at(-1)! }] : []),
  ];
  return { tuning: { mergeGroups, threads: threadsOfBest }, trials };
}

/** The groups that could be merged. */
function narrowGroups(graph: Graph, block: number | undefined): GroupMerge[] {
  if (!block) return [];
  const nodes = [...lowerInference(graph).graph.nodes];
  return nodes.flatMap((node) => groupMergeOf(node, block) ?? []).filter(({ factor }) => factor);
}

/** All cores, unless fewer threads are clearly faster: other programs slow down the largest number of threads most. */
function fewerThreads(counts: readonly number[], times: readonly number[]): number {
  const all = counts.length - 1;
  const best = counts.reduce((a, _, i) => (times[i]! < times[a]! ? i : a), all);
  return counts[times[best]! < 0.9 * times[all]! ? best : all]!;
}

/** With a smaller relative difference, the cost rule decides. */
const margin = 0.03;

/** The fastest run of each variant, as other programs can only add to the duration. */
const fastestOf = async (variants: readonly Timed[], runs: number): Promise<number[]> =>
  (await timesOf(variants, runs)).map((times) => Math.min(...times));

/** 1, 2, 4 … and the number of cores. */
function threadCounts(cores: number): number[] {
  const counts = [];
  for (let count = 1; count < cores; count *= 2) counts.push(count);
  return [...counts, cores];
}

const fields = {
  batch: whole({ from: 1, default: 1, doc: 'images per run' }),
  threads: whole({
    from: 1,
    to: maxThreads,
    defaultOf: ({ cores }: { readonly cores: number }) => cores,
    doc: 'threads that compute',
  }),
  runs: whole({ from: 1, default: 20, doc: 'number of timed runs' }),
};

interface Timed extends Pick<SessionOptions, 'threads'> {
  readonly graph: Graph;
  readonly batch: number;
}

/** Milliseconds of each run of each variant of a graph. */
async function timesOf(variants: readonly Timed[], runs: number): Promise<number[][]> {
  const contenders: Contender[] = [];
  try {
    for (const { graph, batch, threads } of variants) {
      const feeds = randomInputs(graph, batch, 1);
      checkBatch(feeds, batch);
      contenders.push({ session: await Session.open(graph, { threads: threads! }), feeds });
    }
    return await timeInTurn(contenders, runs);
  } finally {
    for (const { session } of contenders) await session.dispose();
  }
}

function checkBatch(feeds: Contender['feeds'], batch: number): void {
  for (const [name, { dims }] of feeds) {
    if (dims[0] === batch) continue;
    throw new UsageError(
      `The input "${name}" is [${dims}], but expected a batch of ${batch}. Set batch to ${dims[0]}.`,
    );
  }
}
