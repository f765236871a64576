/** Compares two graphs on ONNX Runtime with the same random inputs: the difference of their outputs and their speed. */

import { Session, type SessionOptions } from '#platform';
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { checkGiven, whole } from '../options.ts';
import { relativeDifference } from '../tensor.ts';
import { randomInputs } from './inputs.ts';
import { median, timeInTurn } from './timing.ts';

export interface CompareOptions extends SessionOptions {
  /** Size of a symbolic first dimension, the batch. Default: 2. */
  readonly batch?: number;
  /** Number of timed runs of each graph, alternating; 0 for none. Default: 5. */
  readonly runs?: number;
  /** Seed for the random inputs. Default: 1. */
  readonly seed?: number;
}

const fields = {
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

/**
 * Compares two graphs with the same inputs and outputs.
 *
 * @throws UsageError for an invalid number, if the graphs have different outputs, or an input's shape is unknown.
 * @example const { difference, milliseconds: [before, after] } = await compareGraphs(original, optimized);
 */
export async function compareGraphs(a: Graph, b: Graph, options: CompareOptions = {}): Promise<Comparison> {
  checkGiven(fields, options);
  const { batch = 2, runs = 5, seed = 1 } = options;
  const opened: Session[] = [];
  try {
    for (const graph of [a, b]) opened.push(await Session.open(graph, options));
    const sessions = opened as [Session, Session];
    const feeds = randomInputs(a, batch, seed);
    const [left, right] = [await sessions[0].run(feeds), await sessions[1].run(feeds)];
    const differences = [...left].map(([name, value]) => {
      const other = right.get(name);
      if (!other) throw new UsageError(`The first graph has the output "${name}", but the second does not.`);
      if (`${value.dims}` !== `${other.dims}`) {
        throw new UsageError(
          `The output "${name}" is [${value.dims}] in the first graph, but [${other.dims}] in the second.`,
        );
      }
      return relativeDifference(value, other);
    });
    const times = await timeInTurn(
      sessions.map((session) => ({ session, feeds })),
      runs,
    );
    return { difference: Math.max(...differences), milliseconds: [median(times[0]!), median(times[1]!)] };
  } finally {
    for (const session of opened) await session.dispose();
  }
}
