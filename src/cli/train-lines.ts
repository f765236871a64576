/** What `resnext train` prints: how a network was chosen, a progress bar, and a line per epoch; or JSON lines. */
import pc from 'picocolors';
import { quoted } from '../options.ts';
import { counted, duration, short, wrap } from '../output/text.ts';
import { isUneven } from '../train/balance.ts';
import { isStuck } from '../train/best.ts';
import type { Choice, Pretrained } from '../train/choose.ts';
import type { EndEvent, EpochEvent, FeaturesEvent, StartEvent, StepEvent, TrainEvent } from '../train/events.ts';
import type { Output } from './output.ts';
import { showSuggestion, showSweep } from './sweep-lines.ts';

/** Prints JSON lines, at most one step per second, or text. */
export function trainListener(output: Output): (event: TrainEvent) => void {
  const show = createDisplay(output);
  let last = 0;
  return (event) => {
    if (!output.json) return show(event);
    const now = Date.now();
    const isFrequent =
      event.event === 'step' || event.event === 'sweep' || (event.event === 'features' && event.done < event.total);
    if (isFrequent && now - last < 1000) return;
    if (isFrequent) last = now;
    output.document(event, false);
  };
}

/** Prints events for people. What it remembers of earlier ones is here. */
function createDisplay(output: Output): (event: TrainEvent) => void {
  const corrupt = new Set<string>();
  let start: StartEvent | undefined;
  let best: EpochEvent | undefined;
  let estimate: Estimate | undefined;
  return (event) => {
    if (event.event === 'start') {
      start = event;
      if (!event.choice) estimate = new Estimate(event);
      showStart(event, output);
    } else if (event.event === 'features') output.progress(event.done / event.total, ...describeFeatures(event));
    else if (event.event === 'step') {
      const line = estimate?.after(event);
      if (line !== undefined) output.line(line);
      output.progress(shareDone(event), ...describeStep(event));
    } else if (event.event === 'corrupt') {
      if (!corrupt.has(event.path)) output.warn(event.message); // people read it once
      corrupt.add(event.path);
    } else if (event.event === 'epoch') {
      if (event.best) best = event;
      output.line(describeEpoch(event, isUneven(start!.trainPerClass) || isOverClasses(start!)));
    } else if (event.event === 'sweep') showSweep(event, output);
    else if (event.event === 'suggestion') showSuggestion(event, output);
    else output.line(describeEnd(event, start!, best));
  };
}

/** Says once, after a few steps, how long a run of more than a minute takes. */
class Estimate {
  readonly #start: StartEvent;
  #first: number | undefined;
  #steps = 0;
  #isDone = false;

  constructor(start: StartEvent) {
    this.#start = start;
  }

  after({ secondsLeft, imagesPerSecond }: StepEvent): string | undefined {
    this.#first ??= Date.now();
    if (this.#isDone || ++this.#steps <= estimateSteps || Date.now() - this.#first < estimateAfter) return undefined;
    this.#isDone = true;
    if (secondsLeft < 60) return undefined;
    const { from, epoch, epochs } = this.#start;
    const isLong = secondsLeft > 3600 && from === undefined && epoch === 0;
    const advice = isLong ? ' Without --variant, a network that suits the images and this machine is chosen.' : '';
    const rate = imagesPerSecond < 10 ? imagesPerSecond.toFixed(1) : imagesPerSecond.toFixed(0);
    return `About ${inWords(secondsLeft)} for ${counted(epochs - epoch, 'epoch')}, at ${rate} images/s.${advice}`;
  }
}

const estimateSteps = 5;
const estimateAfter = 2000;

/** Roughly: `40 seconds`, `12 minutes`, `2.5 hours`. */
function inWords(seconds: number): string {
  if (seconds < 90) return counted(Math.max(1, Math.round(seconds)), 'second');
  if (seconds < 5400) return counted(Math.round(seconds / 60), 'minute');
  return `${(seconds / 3600).toFixed(1)} hours`;
}

function showStart(event: StartEvent, output: Output): void {
  for (const note of event.notes ?? []) output.note(note);
  if (event.choice) output.line(`${wrap(describeChoice(event, event.choice), output.width)}\n`);
  output.line(describeStart(event));
}

function describeChoice({ train, classes, trainPerClass }: StartEvent, choice: Choice): string {
  const { variant, size, epochs, imageSize, seconds, pretrained } = choice;
  const [least, most] = [Math.min(...trainPerClass), Math.max(...trainPerClass)];
  const each = least === most ? `${least} each` : `${least} to ${most} each`;
  return [
    `${train} images to train on in ${classes.length} classes, ${each}, typically ${imageSize.join(' x ')} pixels.`,
    `Chosen for them: ${pc.bold(variant)} at ${size} x ${size} pixels for ${counted(epochs, 'epoch')}, about ${inWords(seconds)} on this machine.`,
    'Larger networks need more images or more time. To choose yourself, add --variant, --size or --epochs; "resnext list" shows the variants.',
    ...(pretrained ? [describePretrained(pretrained)] : []),
  ].join('\n');
}

function describePretrained({ from, epochs, linearProbe, megabytes, seconds }: Pretrained): string {
  const options = `--from ${from}${linearProbe ? ' --linear-probe' : ''} --epochs ${epochs}`;
  return `Pretrained weights do far better on so few photos: ${options} (a download of ${megabytes.toFixed(0)} MB, then about ${inWords(seconds)}).`;
}

/** @param bestEpoch what the best epoch's line said, if this process was there. */
function describeEnd(event: EndEvent, start: StartEvent, bestEpoch: EpochEvent | undefined): string {
  const { interrupted, endedEarly, epochs, out } = event;
  if (interrupted) return `Stopped in epoch ${epochs + 1}; continue with: resnext train --resume ${quoted(out)}`;
  const model = `The model is in ${pc.bold(out)}.`;
  const uneven = isUneven(start.trainPerClass) ? bestEpoch?.validation : undefined;
  const done = `Done${describeBest(event)}.${uneven ? overClasses(event, uneven) : ' '}${model}${describeRaw(event, bestEpoch)}`;
  if (!endedEarly || start.epoch === epochs) return done; // a resumed run with nothing to do has said why
  const { patience, bestBy } = start;
  const why = `Ended after epoch ${epochs} of ${start.epochs}, since ${figureNames[bestBy]} was no better for ${counted(patience, 'epoch')}.`;
  return `${why}\n${done}\nTo train longer: resnext train --resume ${quoted(out)} --patience ${2 * patience}`;
}

const figureNames = {
  top1: 'top-1',
  loss: 'loss',
  balancedAccuracy: 'balanced accuracy',
  macroF1: 'macro F1',
} as const;
const evenFigures = ['top1', 'balancedAccuracy', 'macroF1'] as const;

const figure = (name: keyof typeof figureNames, value: number): string =>
  `${figureNames[name]} ${name === 'loss' ? value.toFixed(4) : `${value.toFixed(2)} %`}`;

const describeBest = ({ best, bestBy = 'top1', bestEpoch }: EndEvent): string =>
  best === undefined ? '' : `: best ${figure(bestBy, best)} in epoch ${bestEpoch}`;

/** The other figures of the best epoch, in a run with uneven classes. */
function overClasses({ bestBy = 'top1' }: EndEvent, scores: NonNullable<EpochEvent['validation']>): string {
  const others = evenFigures.filter((name) => name !== bestBy).map((name) => figure(name, scores[name]));
  return `\nIn that epoch: ${others.join(', ')}.\n`;
}

/** What an average of the weights is worth. */
function describeRaw({ out }: EndEvent, { validation, rawValidation }: Partial<EpochEvent> = {}): string {
  if (!validation || !rawValidation) return '';
  const [average, raw] = [validation, rawValidation].map(({ top1 }) => `${top1.toFixed(2)} %`);
  return `\nIt is the average of the weights, with top-1 ${average}. The weights themselves have ${raw} and are in ${out}/raw.`;
}

const shareDone = ({ epoch, epochs, step, stepsPerEpoch }: StepEvent): number =>
  (epoch - 1 + step / stepsPerEpoch) / epochs;

function describeStart(event: StartEvent): string {
  const { variant, parameters, macs, classes, train, validation, fold, batch, loweringReason } = event;
  const network = `${pc.bold(variant)}: ${short(parameters)} parameters, ${short(macs)} multiply-adds`;
  const images = `${classes.length} classes, ${train} images to train on in batches of ${batch}, ${validation} to validate on${fold ? ` (fold ${fold})` : ''}`;
  const slower = loweringReason ? `\nTraining uses standard operators, which is slower: ${loweringReason}.` : '';
  return `${network}${describeSource(event)}\n${images}${describeSizes(event)}${describeReplicas(event)}${slower}${describeFrom(event)}`;
}

/** Says what was measured. A number that was given needs no words. */
function describeReplicas({ replicas, replicasSpeedup, batch }: StartEvent): string {
  if (replicasSpeedup === undefined) return '';
  return `\n${replicas} replicas of ${batch / replicas} images each, ${replicasSpeedup.toFixed(1)} times as fast as one here (--replicas ${replicas})`;
}

/** The sizes of training images, if they were chosen: `96 x 96 pixels in epochs 1 to 3, 128 x 128 pixels in epoch 4`. */
function describeSizes({ trainSizes, size }: StartEvent): string {
  if (!trainSizes) return '';
  const parts = trainSizes.map(({ size: side, first, last }) => {
    const square = `${side} x ${side} pixels`;
    if (trainSizes.length === 1) return square;
    return `${square} in ${first === last ? `epoch ${first}` : `epochs ${first} to ${last}`}`;
  });
  return `\nTrained on ${parts.join(', ')}; validated on ${size} x ${size}`;
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

function describeFrom({ epoch, epochs, step, bestEpoch = 0, bestBy, patience }: StartEvent): string {
  const done = epoch === 1 ? 'The epoch is done' : `All ${epoch} epochs are done`;
  if (epoch >= epochs) return `\n${done}. To train longer, set --epochs to more than ${epoch}.`;
  if (isStuck({ epoch, bestEpoch }, { patience })) {
    return `\nThe run ended after epoch ${epoch}, since ${figureNames[bestBy]} was no better than in epoch ${bestEpoch}. To train longer, set --patience to more than ${epoch - bestEpoch}, or to 0.`;
  }
  if (step > 0) return `\nContinuing in epoch ${epoch + 1} after step ${step}.`;
  return epoch > 0 ? `\nContinuing with epoch ${epoch + 1}.` : '';
}

/** Whether the best epoch is chosen by a figure that is shown only for uneven classes. */
const isOverClasses = ({ bestBy }: StartEvent): boolean => bestBy === 'macroF1' || bestBy === 'balancedAccuracy';

/** What to say of progress within an epoch, or before the first; nothing for other events. */
export function progressOf(event: TrainEvent): readonly string[] {
  if (event.event === 'step') return describeStep(event);
  return event.event === 'features' ? describeFeatures(event) : [];
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

/**
 * With uneven classes, other figures take the place of those in training, so that 80 columns are enough. The one by which the
 * best epoch is chosen is always there.
 */
function describeEpoch(event: EpochEvent, uneven: boolean): string {
  const { epoch, epochs, loss, seconds, corrupt, best } = event;
  const trained = [`epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`, `loss ${loss.toFixed(3)}`];
  const notes = [...(corrupt > 0 ? [`${corrupt} unreadable`] : []), duration(seconds)];
  return [...trained, ...figures(event, uneven), ...notes, ...(best ? [pc.green('best')] : [])].join('  ');
}

function figures({ top1, validation, bestBy }: EpochEvent, uneven: boolean): string[] {
  const trained = `top-1 ${percent(top1)}`;
  if (!validation) return [trained];
  const validated = `top-1 ${percent(validation.top1)}`;
  if (!uneven) return [trained, `val loss ${validation.loss.toFixed(3)}`, validated];
  const macroF1 = `F1 ${percent(validation.macroF1)}`;
  if (bestBy === 'loss') return [`val loss ${validation.loss.toFixed(3)}`, validated, macroF1];
  return [`val top-1 ${digits(validation.top1)}`, `balanced ${digits(validation.balancedAccuracy)}`, macroF1];
}

const digits = (value: number): string => value.toFixed(1).padStart(4);
const percent = (value: number): string => `${digits(value)} %`;
