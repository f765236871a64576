/**
 * The training loop as `resnext train` runs it, on a folder of images: read, decode, augment, step. A run is stopped
 * after so many steps; what is given is the mean from the end of one step to the end of another. Started by `children.ts`.
 */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { train } from 'resnext';
import { serve } from './serve.ts';

interface Settings {
  readonly data: string;
  readonly net: string;
  readonly batch: number;
  readonly threads: number;
  readonly workers: number;
  /** Steps that are timed. */
  readonly steps: number;
  /** Steps before them: the runtime's first ones are slow, and the workers are still starting. */
  readonly before: number;
}

await serve(async (settings: Settings) => ({ facts: {}, step: () => run(settings) }));

/** Milliseconds of a step. */
async function run({ data, net, batch, threads, workers, steps, before }: Settings): Promise<number> {
  const out = join(tmpdir(), `resnext-bench-${randomUUID()}`);
  const stop = new AbortController();
  let [began, ended, done] = [0, 0, 0];
  const onEvent = ({ event }: { readonly event: string }) => {
    if (event !== 'step') return;
    done++;
    if (done === before) began = performance.now();
    if (done !== before + steps) return;
    ended = performance.now();
    stop.abort();
  };
  const options = { data, out, variant: net, batch, threads, workers, epochs: 1, learningRate: 0.01, validation: 0.01 };
  try {
    await train(options, { onEvent, signal: stop.signal });
  } finally {
    await rm(out, { recursive: true, force: true });
  }
  return (ended - began) / steps;
}
