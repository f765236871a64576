/**
 * The training loop of `resnext train` on a folder of images: read, decode, augment, step. The run is stopped after a
 * number of steps; the result is the mean time from the end of one step to the end of the next. Started by
 * `children.ts`.
 */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { train } from 'resnext';
import { serve } from './serve.ts';

interface Settings {
  readonly data: string;
  readonly network: string;
  readonly batch: number;
  readonly threads: number;
  readonly workers: number;
  /** Timed steps. */
  readonly steps: number;
  /** Untimed steps before them, while the workers start and the runtime is still slow. */
  readonly before: number;
}

await serve(async (settings: Settings) => ({ facts: {}, step: () => run(settings) }));

/** Mean milliseconds per step. */
async function run({ data, network, batch, threads, workers, steps, before }: Settings): Promise<number> {
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
  const options = {
    data,
    out,
    variant: network,
    batch,
    threads,
    workers,
    epochs: 1,
    learningRate: 0.01,
    validation: 0.01,
  };
  try {
    await train(options, { onEvent, signal: stop.signal });
  } finally {
    await rm(out, { recursive: true, force: true });
  }
  return (ended - began) / steps;
}
