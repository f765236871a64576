/**
 * Sessions timed in turn, so that a machine that slows down slows them all. ONNX Runtime's threads spin for a while after
 * a run; before each turn, the threads of the session before get time to fall asleep.
 */
import type { Session } from '#platform';
import type { Tensor } from '../tensor.ts';

export interface Contender {
  readonly session: Session;
  readonly feeds: ReadonlyMap<string, Tensor>;
}

/** Milliseconds after which a session's threads are asleep. */
const rest = 30;
const maxTurns = 5;

/** Milliseconds of each run of each contender. Every turn begins with a run that does not count. */
export async function timeInTurn(contenders: readonly Contender[], runs: number): Promise<number[][]> {
  const turns = Math.min(maxTurns, runs);
  const times = contenders.map((): number[] => []);
  for (let turn = 0; turn < turns; turn++) {
    const count = Math.floor((runs * (turn + 1)) / turns) - Math.floor((runs * turn) / turns);
    for (const [i, { session, feeds }] of contenders.entries()) {
      await new Promise((resolve) => setTimeout(resolve, rest));
      await session.run(feeds);
      for (let k = 0; k < count; k++) {
        const began = performance.now();
        await session.run(feeds);
        times[i]!.push(performance.now() - began);
      }
    }
  }
  return times;
}

/** The value in the middle; of an even number of values the upper one, of none 0. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
