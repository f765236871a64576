/** Compares two graphs on ONNX Runtime with the same random inputs: the difference of their outputs and their speed. */

import { Session, type SessionOptions, sessionFields } from '#platform';
import { checkArgument, checkOptions, type FieldsOf } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { type Graph, graphKind } from '../graph/graph.ts';
import { pick, whole } from '../options.ts';
import { type DType, relativeDifference, type Tensor } from '../tensor.ts';
import { hasFreeSizes, randomInputs } from './inputs.ts';
import { median, timeInTurn } from './timing.ts';

/** The inputs of a comparison, and how its sessions run. */
export interface CompareOptions extends SessionOptions {
  /** Size of a symbolic first dimension, the batch, at the first comparison. Default: 2. */
  readonly batch?: number;
  /** Number of timed runs of each graph, alternating; 0 for none. Default: 5. */
  readonly runs?: number;
  /** Seed for the random inputs. Default: 1. */
  readonly seed?: number;
}

const fields: FieldsOf<CompareOptions> = {
  ...sessionFields,
  batch: whole({ from: 1, doc: 'size of a symbolic batch' }),
  runs: whole({ from: 0, doc: 'number of timed runs' }),
  seed: whole({ doc: 'seed for the random inputs' }),
};

export interface Comparison {
  /** The maximum of ‖a − b‖ / ‖a‖ over the outputs. */
  readonly difference: number;
  /** Median milliseconds per run of each graph; 0 without runs. */
  readonly milliseconds: readonly [number, number];
}

/** Relative differences that rounding explains, by the graph's coarsest type of floating-point numbers. */
const roundingOf: readonly (readonly [DType, number])[] = [
  ['bfloat16', 5e-2],
  ['float16', 1e-2],
  ['float32', 1e-4],
  ['float64', 1e-10],
];

/** The largest relative difference of the outputs that rounding explains: 1e-4, or 1e-2 if the graph has float16. */
export function toleranceOf({ inputs, outputs, initializers }: Graph): number {
  const types = new Set([...inputs, ...outputs, ...initializers].map(({ dtype }) => dtype));
  return roundingOf.find(([dtype]) => types.has(dtype))?.[1] ?? 1e-4;
}

/**
 * Compares two graphs with the same inputs and outputs. If dimensions of the inputs are symbolic, they are compared at
 * two sizes, as far as the first graph runs at these.
 *
 * @throws UsageError for an invalid number, if the graphs have different outputs, if an input's type or rank is unknown,
 *   or if the first graph runs at none of the sizes that are tried.
 * @example const { difference, milliseconds: [before, after] } = await compareGraphs(original, optimized);
 */
export async function compareGraphs(a: Graph, b: Graph, options: CompareOptions = {}): Promise<Comparison> {
  checkArgument('a', a, graphKind);
  checkArgument('b', b, graphKind);
  checkOptions(fields, options);
  const { batch = 2, runs: timed = 5, seed = 1 } = options;
  const opened: Session[] = [];
  try {
    for (const graph of [a, b]) opened.push(await Session.open(graph, pick<SessionOptions>(sessionFields, options)));
    const sessions = opened as [Session, Session];
    const runs = await runsOf(a, sessions[0], batch, seed);
    let difference = 0;
    for (const { feeds, results } of runs) {
      difference = Math.max(difference, differenceOf(results, await sessions[1].run(feeds)));
    }
    const { feeds } = runs[0]!;
    const times = await timeInTurn(
      sessions.map((session) => ({ session, feeds })),
      timed,
    );
    return { difference, milliseconds: [median(times[0]!), median(times[1]!)] };
  } finally {
    for (const session of opened) await session.dispose();
  }
}

/** What a graph computes from some inputs. */
interface Run {
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly results: ReadonlyMap<string, Tensor>;
}

/** Heights and widths of images and of other maps, in the order in which they are tried for free dimensions. */
const imageSizes = [[224, 224], [192, 256], [299, 299], [64, 64], [32, 32]]; // biome-ignore format: one line
const mapSizes = [[28, 28], [24, 32], [56, 56], [14, 14], [7, 7], [128, 128], [224, 224]]; // biome-ignore format: one line

/** The graph's results for random inputs, at two sizes if any is symbolic. */
async function runsOf(graph: Graph, session: Session, batch: number, seed: number): Promise<Run[]> {
  const runs: Run[] = [];
  const run = async (count: number, free?: readonly number[]) => {
    const feeds = randomInputs(graph, count, seed, free);
    runs.push({ feeds, results: await session.run(feeds) });
  };
  if (!hasFreeSizes(graph)) {
    await run(batch);
    return runs;
  }
  const isImage = graph.inputs.some(
    ({ dims }) => dims?.length === 4 && [dims[1], dims[3]].some((size) => size === 1 || size === 3),
  );
  const tried = isImage ? imageSizes : mapSizes;
  let reason: UsageError | undefined;
  for (const free of tried) {
    if (runs.length === 2) break;
    try {
      await run(batch + runs.length, free);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      reason ??= error; // sizes at which the graph does not run are no comparison
    }
  }
  if (runs.length > 0) return runs;
  const list = tried.map((sizes) => sizes.join(' x ')).join(', ');
  throw new UsageError(
    `The inputs of the first graph have free sizes, but it runs at none of ${list}. Fix the sizes in the file first. ${reason?.message}`,
  );
}

/** The maximum of ‖a − b‖ / ‖a‖ over the outputs. */
function differenceOf(a: Run['results'], b: Run['results']): number {
  const differences = [...a].map(([name, value]) => {
    const other = b.get(name);
    if (!other) throw new UsageError(`The first graph has the output "${name}", but the second does not.`);
    if (`${value.dims}` !== `${other.dims}`) {
      throw new UsageError(
        `The output "${name}" is [${value.dims}] in the first graph, but [${other.dims}] in the second.`,
      );
    }
    return relativeDifference(value, other);
  });
  return Math.max(...differences);
}
