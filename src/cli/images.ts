/** Runs a list of images of any length, and gives the results to what prints or collects them. */
import type { Outcome } from '../classifier/outcomes.ts';
import type { Source } from '../data/sources.ts';
import { counted } from '../output/text.ts';
import { interruptedCode, onInterrupt } from './interrupt.ts';
import type { Output } from './output.ts';

/** What collects results. */
export interface Collector<T> {
  /** Number of images whose results are there already. */
  readonly done: number;
  /** Whether an interrupted task continues from them. */
  readonly isKept: boolean;
  add(label: string, outcome: Outcome<T>): void;
  /** Secures the results of all images so far. */
  save(): void;
}

interface Running<T> {
  readonly sources: readonly Source[];
  readonly run: (sources: readonly Source[]) => AsyncIterable<Outcome<T>>;
  readonly imagesPerBatch: number;
  /** Whether results are on disk, and progress is shown instead of them. */
  readonly isCollected: boolean;
  /** Whether an image that cannot be read is an error. */
  readonly isFailureFatal?: boolean;
}

/** Runs the images that are left. Those that cannot be read are reported. */
export async function runImages<T>(
  { sources, run, imagesPerBatch, isCollected, isFailureFatal = false }: Running<T>,
  collector: Collector<T>,
  output: Output,
): Promise<void> {
  const first = collector.done;
  let done = first;
  let saved = first;
  const stop = () => {
    output.clear();
    if (saved > 0 && collector.isKept)
      output.note(`Stopped after ${saved} of ${counted(sources.length, 'image')}. The same command continues.`);
    process.exit(interruptedCode);
  };
  const ignore = isCollected ? onInterrupt(stop) : undefined;
  try {
    if (first === sources.length) return;
    for await (const outcome of run(sources.slice(first))) {
      const { label } = sources[done++]!;
      if ('error' in outcome) {
        if (isFailureFatal) throw outcome.error;
        output.warn(outcome.error.message);
      }
      collector.add(label, outcome);
      if ((done - first) % imagesPerBatch === 0 || done === sources.length) {
        collector.save();
        saved = done;
      }
      if (isCollected) output.progress(done / sources.length, `${done} of ${counted(sources.length, 'image')}`);
    }
  } finally {
    ignore?.();
  }
}
