/** `resnext train`: trains and shows progress. Ctrl-C ends the run after the current step and saves a checkpoint. */
import { printable, UsageError } from '../../errors.ts';
import { writeFileAtomically } from '../../files.ts';
import type { GivenOf } from '../../options.ts';
import type { TrainHooks } from '../../train/events.ts';
import { findLearningRate } from '../../train/find-learning-rate.ts';
import type { GivenOptions, TrainOptions } from '../../train/options.ts';
import { resume, train } from '../../train/run.ts';
import { interruptedCode, onInterrupt } from '../interrupt.ts';
import { progressOn } from '../model.ts';
import type { trainFlags } from '../options/training.ts';
import type { Output } from '../output.ts';
import { sweepChart } from '../sweep-lines.ts';
import { trainListener } from '../train-lines.ts';
import { watched } from '../watched.ts';

type Typed = GivenOf<typeof trainFlags>;

export async function run(typed: Typed, output: Output): Promise<number> {
  checkSweep(typed);
  const stop = new AbortController();
  let interrupted = 0;
  const ignore = onInterrupt(() => {
    if (stop.signal.aborted && Date.now() - interrupted < 1000) return; // pressed twice before the warning could appear
    if (stop.signal.aborted) {
      output.clear();
      process.exit(interruptedCode);
    }
    interrupted = Date.now();
    output.warn('Stopping. Press Ctrl-C again to stop at once.');
    stop.abort();
  });
  const hooks = { onEvent: trainListener(output), onDownload: progressOn(output), signal: stop.signal };
  try {
    return await (typed.findLearningRate ? sweep(typed, hooks, output) : trainOrResume(typed, hooks, output));
  } catch (error) {
    if (error === stop.signal.reason) return interruptedCode; // while the model was downloaded
    throw error;
  } finally {
    ignore();
  }
}

async function trainOrResume(
  { resume: resumed, open, show, ...typed }: Typed,
  hooks: TrainHooks,
  output: Output,
): Promise<number> {
  const { json: _, findLearningRate: __, plot: ___, ...chosen } = typed;
  const begin = (hooks: TrainHooks) =>
    resumed === undefined ? train(newRun(chosen), hooks) : resume(resumed, changes(chosen), hooks);
  const result = await (open
    ? watched(resumed ?? newRun(chosen).out, begin, hooks, machineOf(chosen), output)
    : begin(hooks));
  if (show && !output.json) {
    const { showRunCurve } = await import('../run-curve.ts');
    showRunCurve(resumed ?? newRun(chosen).out, output);
  }
  return result.interrupted ? interruptedCode : 0;
}

const machineOf = ({ threads, workers }: Chosen) => ({
  ...(threads !== undefined && { threads }),
  ...(workers !== undefined && { workers }),
});

/** Suggests a learning rate. A command line that names a run to make is accepted, and nothing is written there. */
async function sweep({ plot, ...given }: Typed, hooks: TrainHooks, output: Output): Promise<number> {
  const { json: _, findLearningRate: __, resume: ___, open: ____, show: _____, ...typed } = given;
  const { data } = typed;
  if (data === undefined) throw new UsageError('Name the folder of images to train on.');
  const found = await findLearningRate({ ...typed, data }, hooks);
  if (plot === undefined) return 0;
  await writeFileAtomically(plot, await sweepChart(found));
  output.line(`Wrote ${printable(plot)}.`);
  return 0;
}

function checkSweep({ findLearningRate: sweeps, plot, open, show, resume: resumed }: Typed): void {
  if (sweeps && resumed !== undefined) {
    throw new UsageError(
      `--find-lr starts from initial or pretrained weights, and cannot be combined with --resume. To start from the weights of that run, use --from ${resumed}.`,
    );
  }
  if (sweeps && open) throw new UsageError('--open has no effect with --find-lr, which makes no run. Remove it.');
  if (sweeps && show)
    throw new UsageError('--show has no effect with --find-lr, which always draws its curve. Remove it.');
  if (plot === undefined) return;
  if (!sweeps) throw new UsageError('--plot has no effect without --find-lr. Remove it, or add --find-lr.');
  if (!/\.svg$/i.test(plot)) throw new UsageError(`--plot is "${plot}", but expected a name that ends in .svg.`);
}

type Chosen = Omit<Typed, 'resume' | 'json' | 'open' | 'show' | 'findLearningRate' | 'plot'>;

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
