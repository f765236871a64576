/**
 * Times sessions in turn, so that a slowdown of the machine affects all of them. ONNX Runtime's threads spin for a
 * while after a run, so each turn starts once the threads of the previous session are asleep.
 */
import type { Session } from '#platform';
import type { Tensor } from '../tensor.ts';

export interface Contender {
  readonly session: Session;
  readonly feeds: ReadonlyMap<string, Tensor>;
}

/** Milliseconds until a session's threads are asleep. */
const rest = 30;
const maxTurns = 5;

/** The milliseconds of each contender's runs. Every turn starts with an untimed warm-up run. */
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

/** The median: the upper one for an even number of values, 0 for none. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
