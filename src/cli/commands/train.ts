/** `resnext train`: trains and shows progress. Ctrl-C ends the run after the current step and saves a checkpoint. */
import pc from 'picocolors';
import { UsageError } from '../../errors.ts';
import type { GivenOf } from '../../options.ts';
import { duration, short } from '../../output/text.ts';
import type { EndEvent, EpochEvent, FeaturesEvent, StartEvent, StepEvent, TrainEvent } from '../../train/events.ts';
import type { GivenOptions, TrainOptions } from '../../train/options.ts';
import { resume, train } from '../../train/run.ts';
import { progressOn } from '../model.ts';
import type { trainFlags } from '../options.ts';
import type { Output } from '../output.ts';

type Typed = GivenOf<typeof trainFlags>;

const interruptedCode = 130;

export async function run({ resume: resumed, json: _, ...typed }: Typed, output: Output): Promise<number> {
  const stop = new AbortController();
  let interrupted = 0;
  const onInterrupt = () => {
    if (stop.signal.aborted && Date.now() - interrupted < 1000) return; // pressed twice before the warning could appear
    if (stop.signal.aborted) {
      output.clear();
      process.exit(interruptedCode);
    }
    interrupted = Date.now();
    output.warn('Stopping after this step. Press Ctrl-C again to stop now.');
    stop.abort();
  };
  process.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt);
  const hooks = { onEvent: listener(output), onDownload: progressOn(output), signal: stop.signal };
  try {
    const result =
      resumed === undefined ? await train(newRun(typed), hooks) : await resume(resumed, changes(typed), hooks);
    return result.interrupted ? interruptedCode : 0;
  } catch (error) {
    if (error === stop.signal.reason) return interruptedCode; // while the model was downloaded
    throw error;
  } finally {
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt);
  }
}

type Chosen = Omit<Typed, 'resume' | 'json'>;

function newRun({ dir, out, ...options }: Chosen): GivenOptions {
  if (dir === undefined) {
    throw new UsageError('Name the folder of images to train on, or continue a run with --resume RUN.');
  }
  if (out === undefined) throw new UsageError('Name a folder for the results with --out RUN.');
  return { ...options, data: dir, out };
}

/** The options that a resumed run changes. */
function changes({ dir, out, ...options }: Chosen): Partial<TrainOptions> {
  if (out !== undefined) throw new UsageError('A resumed run continues in its own folder. Remove --out.');
  return { ...options, ...(dir !== undefined && { data: dir }) };
}

/** Prints JSON lines, at most one step per second, or a progress bar and a line per epoch. */
function listener(output: Output): (event: TrainEvent) => void {
  let last = 0;
  const named = new Set<string>();
  return (event) => {
    const now = Date.now();
    if (event.event === 'corrupt' && !output.json && named.has(event.path)) return; // people read it once
    if (event.event === 'corrupt') named.add(event.path);
    if (!output.json) return show(event, output);
    const isFrequent = event.event === 'step' || (event.event === 'features' && event.done < event.total);
    if (isFrequent && now - last < 1000) return;
    if (isFrequent) last = now;
    output.document(event, false);
  };
}

function show(event: TrainEvent, output: Output): void {
  if (event.event === 'start') showStart(event, output);
  else if (event.event === 'features') output.progress(event.done / event.total, ...describeFeatures(event));
  else if (event.event === 'step') output.progress(shareDone(event), ...describeStep(event));
  else if (event.event === 'corrupt') output.warn(event.message);
  else if (event.event === 'epoch') output.line(describeEpoch(event));
  else output.line(describeEnd(event));
}

function showStart(event: StartEvent, output: Output): void {
  for (const note of event.notes ?? []) output.note(note);
  output.line(describeStart(event));
}

function describeEnd({ interrupted, epochs, best, out }: EndEvent): string {
  if (interrupted) return `Stopped in epoch ${epochs + 1}; continue with: resnext train --resume ${out}`;
  const top1 = best === undefined ? '' : `: best top-1 ${best.toFixed(2)} %`;
  return `Done${top1}. The model is in ${pc.bold(out)}.`;
}

const shareDone = ({ epoch, epochs, step, stepsPerEpoch }: StepEvent): number =>
  (epoch - 1 + step / stepsPerEpoch) / epochs;

function describeStart(event: StartEvent): string {
  const { variant, parameters, macs, classes, train, validation, batch, epoch, epochs, step, loweringReason } = event;
  const network = `${pc.bold(variant)}: ${short(parameters)} parameters, ${short(macs)} multiply-adds`;
  const images = `${classes.length} classes, ${train} images to train on in batches of ${batch}, ${validation} to validate on`;
  const slower = loweringReason ? `\nTraining uses standard operators, which is slower: ${loweringReason}.` : '';
  return `${network}${describeSource(event)}\n${images}${slower}${describeFrom(epoch, epochs, step)}`;
}

/** The model that training starts from, and which of its parameters are trained. */
function describeSource({ from, frozen, trained, parameters, newHead, linearProbe, classes }: StartEvent): string {
  if (from === undefined) return '';
  const head = newHead
    ? `with a new classifier for ${classes.length} classes`
    : 'keeping its classifier (same classes)';
  const source = newHead === undefined ? '' : `, ${head}`; // undefined when a run is resumed
  const some = `${short(trained)} of ${short(parameters)} parameters are trained; frozen: ${frozen.join(', ')}`;
  const probe = linearProbe ? '\nLinear probe: the features of every image are computed once.' : '';
  return `\nFrom ${pc.bold(from)}${source}: ${frozen.length > 0 ? some : 'all parameters are trained'}${probe}`;
}

function describeFrom(epoch: number, epochs: number, step: number): string {
  const done = epoch === 1 ? 'The epoch is done' : `All ${epoch} epochs are done`;
  if (epoch >= epochs) return `\n${done}. To train longer, set --epochs to more than ${epoch}.`;
  if (step > 0) return `\nContinuing in epoch ${epoch + 1} after step ${step}.`;
  return epoch > 0 ? `\nContinuing with epoch ${epoch + 1}.` : '';
}

const describeFeatures = ({ done, total, imagesPerSecond, secondsLeft }: FeaturesEvent): string[] => [
  `features of ${done} of ${total} images`,
  `${duration(secondsLeft)} left`,
  `${imagesPerSecond.toFixed(0)} images/s`,
];

const describeStep = ({ epoch, epochs, loss, top1, imagesPerSecond, secondsLeft }: StepEvent): string[] => [
  `epoch ${epoch}/${epochs}`,
  `loss ${loss.toFixed(3)}`,
  `top-1 ${top1.toFixed(1).padStart(4)} %`,
  `${duration(secondsLeft)} left`,
  `${imagesPerSecond.toFixed(0)} images/s`,
];

function describeEpoch({ epoch, epochs, loss, top1, validation, seconds, corrupt, best }: EpochEvent): string {
  const trained = `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}  loss ${loss.toFixed(3)}  top-1 ${top1.toFixed(1).padStart(4)} %`;
  const validated = validation
    ? `  val loss ${validation.loss.toFixed(3)}  top-1 ${validation.top1.toFixed(1).padStart(4)} %`
    : '';
  const notes = `${corrupt > 0 ? `  ${corrupt} unreadable` : ''}  ${duration(seconds)}${best ? pc.green('  best') : ''}`;
  return trained + validated + notes;
}
