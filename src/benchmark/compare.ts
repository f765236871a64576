/** Two graphs side by side on ONNX Runtime: the same random inputs, how far the outputs are apart, how long each takes. */

import { Session, type SessionOptions } from '#platform';
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { relativeDifference } from './distance.ts';
import { randomInputs } from './inputs.ts';
import { median, timeInTurn } from './timing.ts';

export interface CompareOptions extends SessionOptions {
  /** What a free first dimension, the batch, is set to; 2 unless given. */
  readonly batch?: number;
  /** Timed runs of each, in turn; 5 unless given, 0 for none. */
  readonly runs?: number;
  /** Of the random inputs; 1 unless given. */
  readonly seed?: number;
}

export interface Comparison {
  /** Largest over the outputs of ‖a − b‖ / ‖a‖. */
  readonly difference: number;
  /** Median milliseconds of one run of each graph; 0 without runs. */
  readonly milliseconds: readonly [number, number];
}

/**
 * Compares what two graphs with the same inputs and outputs compute.
 *
 * @throws UsageError when the graphs have other outputs, or an input's shape is not known.
 * @example const { difference, milliseconds: [before, after] } = await compareGraphs(original, optimized);
 */
export async function compareGraphs(a: Graph, b: Graph, options: CompareOptions = {}): Promise<Comparison> {
  const { batch = 2, runs = 5, seed = 1 } = options;
  const opened: Session[] = [];
  try {
    for (const graph of [a, b]) opened.push(await Session.open(graph, options));
    const sessions = opened as [Session, Session];
    const feeds = randomInputs(a, batch, seed);
    const [left, right] = [await sessions[0].run(feeds), await sessions[1].run(feeds)];
    const differences = [...left].map(([name, value]) => {
      const other = right.get(name);
      if (!other) throw new UsageError(`One graph has the output "${name}" and the other has not.`);
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
