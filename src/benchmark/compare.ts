/** Two graphs side by side on ONNX Runtime: the same random inputs, how far the outputs are apart, how long each takes. */
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { fillBytes, fillNormal, uniform } from '../random.ts';
import { Session, type SessionOptions } from '../runtime/session.ts';
import { type Tensor, tensor } from '../tensor.ts';

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
    const [before, after] = (await timeInTurn(sessions, feeds, runs)) as [number, number];
    return { difference: Math.max(...differences), milliseconds: [before, after] };
  } finally {
    for (const session of opened) await session.dispose();
  }
}

/** Normal numbers, or bytes where it takes such, for every input that is not an initializer. */
export function randomInputs(graph: Graph, batch: number, seed: number): Map<string, Tensor> {
  const random = uniform(seed);
  const inputs = graph.inputs.filter((value) => !graph.initializers.has(value));
  return new Map(
    inputs.map(({ name, dims, dtype }) => {
      const sizes = dims?.map((dim, axis) => (typeof dim === 'string' && axis === 0 ? batch : dim));
      if ((dtype !== 'float32' && dtype !== 'uint8') || !sizes?.every((dim) => typeof dim === 'number')) {
        throw new UsageError(
          `The input "${name}" is ${dtype} [${dims ?? '?'}]; only float32 and uint8 inputs of known height and width are tried.`,
        );
      }
      const input = tensor(dtype, sizes);
      if (input.dtype === 'uint8') fillBytes(input.data, random);
      else fillNormal(input.data as Float32Array, 1, random);
      return [name, input];
    }),
  );
}

/** ‖a − b‖ / ‖a‖; of two zeros 0. */
export function relativeDifference({ data: a }: Tensor, { data: b }: Tensor): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (Number(a[i]) - Number(b[i])) ** 2;
    size += Number(a[i]) ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}

/** Median milliseconds of each session's runs, which take turns; 0 without runs. */
export async function timeInTurn(
  sessions: readonly Session[],
  feeds: ReadonlyMap<string, Tensor>,
  runs: number,
): Promise<number[]> {
  const times = sessions.map((): number[] => []);
  for (let i = 0; i < runs; i++) {
    for (const [k, session] of sessions.entries()) {
      const began = performance.now();
      await session.run(feeds);
      times[k]!.push(performance.now() - began);
    }
  }
  return times.map(median);
}

/** The middle one of the values, 0 of none. */
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
