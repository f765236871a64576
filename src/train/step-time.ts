/** Times training steps on empty images, to choose what is fastest on this machine. */
import { setTimeout } from 'node:timers/promises';
import type { Trainer } from '../step/trainer.ts';

/** Milliseconds until the threads of the previous trainer are asleep. */
const rest = 30;

/**
 * The milliseconds of each trainer's fastest step. They step in turn, so that a slowdown of the machine affects all.
 *
 * @param seconds in all, without a step each to warm up; every trainer has at least one that counts.
 */
export async function fastestSteps(trainers: readonly Trainer[], seconds: number): Promise<number[]> {
  for (const trainer of trainers) await trainer.step(0);
  const fastest = trainers.map(() => Infinity);
  const began = performance.now();
  do {
    for (const [i, trainer] of trainers.entries()) {
      if (trainers.length > 1) await setTimeout(rest);
      const start = performance.now();
      await trainer.step(0);
      fastest[i] = Math.min(fastest[i]!, performance.now() - start);
    }
  } while (performance.now() - began < 1000 * seconds);
  return fastest;
}
