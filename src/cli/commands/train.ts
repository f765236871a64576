/** `resnext train`: trains and shows progress. Ctrl-C ends the run after the current step and saves a checkpoint. */
import { UsageError } from '../../errors.ts';
import type { GivenOf } from '../../options.ts';
import type { GivenOptions, TrainOptions } from '../../train/options.ts';
import { resume, train } from '../../train/run.ts';
import { interruptedCode, onInterrupt } from '../interrupt.ts';
import { progressOn } from '../model.ts';
import type { trainFlags } from '../options.ts';
import type { Output } from '../output.ts';
import { trainListener } from '../train-lines.ts';

type Typed = GivenOf<typeof trainFlags>;

export async function run({ resume: resumed, json: _, ...typed }: Typed, output: Output): Promise<number> {
  const stop = new AbortController();
  let interrupted = 0;
  const ignore = onInterrupt(() => {
    if (stop.signal.aborted && Date.now() - interrupted < 1000) return; // pressed twice before the warning could appear
    if (stop.signal.aborted) {
      output.clear();
      process.exit(interruptedCode);
    }
    interrupted = Date.now();
    output.warn('Stopping after this step. Press Ctrl-C again to stop now.');
    stop.abort();
  });
  const hooks = { onEvent: trainListener(output), onDownload: progressOn(output), signal: stop.signal };
  try {
    const result =
      resumed === undefined ? await train(newRun(typed), hooks) : await resume(resumed, changes(typed), hooks);
    return result.interrupted ? interruptedCode : 0;
  } catch (error) {
    if (error === stop.signal.reason) return interruptedCode; // while the model was downloaded
    throw error;
  } finally {
    ignore();
  }
}

type Chosen = Omit<Typed, 'resume' | 'json'>;

function newRun({ data, out, ...options }: Chosen): GivenOptions {
  if (data === undefined) {
    throw new UsageError('Name the folder of images to train on, or continue a run with --resume RUN.');
  }
  if (out === undefined) throw new UsageError('Name a folder for the results with --out RUN.');
  return { ...options, data, out };
}

/** The options that a resumed run changes. */
function changes({ out, ...options }: Chosen): Partial<TrainOptions> {
  if (out !== undefined) throw new UsageError('A resumed run continues in its own folder. Remove --out.');
  return options;
}
