/**
 * A run as a self-contained HTML page: its curves, the evaluation of its best model, and how it was made. The page is made
 * of what is passed, without reading a file, so that a run in progress can be shown as well.
 */

import { numberText } from '../charts/text.ts';
import type { Evaluation } from '../classifier/evaluation.ts';
import { quoted } from '../options.ts';
import { duration, short } from '../output/text.ts';
import { escapeHtml, htmlTable, page } from '../page.ts';
import { isUneven } from '../train/balance.ts';
import { learningCurves } from './curves.ts';
import { evaluationSections, evaluationStyle } from './evaluation.ts';
import { about, count, figures, notice, percent, whole } from './figures.ts';
import type { ShownMistake } from './gallery.ts';
import { bestOf, detailsOf, type EpochLine, type RunDetails, rateOf, secondsOf } from './run-details.ts';
import { origin, originStyle } from './run-origin.ts';

export interface RunPage {
  /** The heading: the name of the run. */
  readonly name: string;
  /** The lines of `metrics.jsonl`, which are the `epoch` events. */
  readonly lines: readonly EpochLine[];
  /** The JSON of `run.json`. */
  readonly record?: unknown;
  /** The best model on the validation images, and mistakes to show. */
  readonly evaluation?: { readonly result: Evaluation; readonly mistakes?: readonly ShownMistake[] };
  /** How far the run is, while it goes on; in place of how it ended. A page that is open can change it by its id, `progress`. */
  readonly progress?: string;
  /** Sentences to show at the top, such as why there is no evaluation. */
  readonly notes?: readonly string[];
}

/**
 * The page of a run.
 *
 * @example await runPage({ name: 'flowers', lines: events.filter(({ event }) => event === 'epoch'), record })
 */
export async function runPage({ name, lines, record, evaluation, progress, notes = [] }: RunPage): Promise<string> {
  const details = detailsOf(record);
  const best = bestOf(lines);
  const uneven = hasUneven(details);
  const curves = await learningCurves(lines, best?.validation && best, uneven, lossNote(lines, details));
  const state = progress === undefined ? stateInWords(lines, details) : undefined;
  const parts = [
    `<h1>${escapeHtml(name)}</h1>`,
    ...about([headline(lines, details)]),
    ...(progress === undefined ? [] : [`<p class="notice" id="progress">${escapeHtml(progress)}</p>`]),
    ...[...(state === undefined ? [] : [state]), ...notes].map(notice),
    runFigures(lines, details, uneven),
    ...(lines.length === 0
      ? []
      : ['<section><h2>Learning curves</h2>', `<div class="charts${uneven ? ' four' : ''}">`, ...curves, '</div>']),
    ...(lines.some(({ rawValidation }) => rawValidation) ? [rawNote] : []),
    ...(lines.length === 0 ? [] : [epochTable(lines, uneven), '</section>']),
    ...(evaluation ? await evaluated(evaluation, best) : []),
    ...(record === undefined && progress !== undefined ? [] : await origin(details, uneven)),
  ];
  return page(name, parts, evaluationStyle + originStyle);
}

const rawNote =
  '<p class="about">The model of this run is the moving average of the weights. The dashed line shows the validation of the trained weights themselves.</p>';

/** Why the training loss cannot be compared with the validation loss, where that is so. */
function lossNote(lines: readonly EpochLine[], { options }: RunDetails): string {
  const isMixed = Number(options.mixup ?? 0) > 0 || Number(options.cutmix ?? 0) > 0;
  const kinds = [
    ...(options.loss === 'binary-cross-entropy' ? ['binary cross-entropy'] : []),
    ...((options.classWeights ?? 'none') === 'none' ? [] : ['weighted by class']),
    ...(Number(options.labelSmoothing ?? 0) > 0 ? ['of smoothed labels'] : []),
    ...(isMixed ? ['of mixed images, whose training top-1 counts the larger label'] : []),
  ];
  if (kinds.length === 0 || !lines.some(({ validation }) => validation)) return '';
  const training = kinds.length === 1 ? kinds[0]! : `${kinds.slice(0, -1).join(', ')} and ${kinds.at(-1)!}`;
  return `<p class="about">The two losses cannot be compared: validation is always plain cross-entropy, and training is ${training}.</p>`;
}

const hasUneven = ({ data }: RunDetails): boolean =>
  data !== undefined && data.classes.length > 0 && isUneven(data.classes.map(({ train }) => train));

function headline(lines: readonly EpochLine[], { network, data, options }: RunDetails): string {
  const trained = network ? [`${network.variant}${data ? ` on ${data.folder}` : ''}`] : [];
  const from = typeof options.from === 'string' && options.from !== '' ? [`starting from ${options.from}`] : [];
  const time = lines.length > 0 ? [`${count(lines.length, 'epoch')} in ${duration(secondsOf(lines))}`] : [];
  return [...trained, ...from, ...time].join(', ');
}

/** What there is to say on how the run ended. */
function stateInWords(lines: readonly EpochLine[], { state, options }: RunDetails): string | undefined {
  const epochs = Number(options.epochs ?? lines.length);
  const done =
    lines.length === 0 ? 'before the end of its first epoch' : `after ${lines.length} of ${count(epochs, 'epoch')}`;
  const resume =
    typeof options.out === 'string' ? ` Continue it with: \`resnext train --resume ${quoted(options.out)}\`` : '';
  const kept = lines.length === 0 ? '' : ' The curves and the model are those of the epochs before.';
  switch (state) {
    case 'running':
      return `The run is in progress, or its process was ended: ${lines.length} of ${count(epochs, 'epoch')} done.`;
    case 'interrupted':
      return `The run was interrupted ${done}.${resume}`;
    case 'diverged':
      return `The run diverged in epoch ${lines.length + 1} of ${epochs}: its loss was no longer a finite number.${kept} Choose a smaller learning rate.`;
    case 'failed':
      return `An error ended the run ${done}.${resume}`;
    default:
      return lines.length < epochs ? `The run ended early, ${done}, since it no longer improved.` : undefined;
  }
}

function runFigures(lines: readonly EpochLine[], details: RunDetails, uneven: boolean): string {
  const [best, last] = [bestOf(lines), lines.at(-1)];
  const scores = best?.validation;
  const { data, network } = details;
  const classes = data?.classes.length ?? 0;
  const rate = rateOf(lines, details);
  return figures([
    [percent(scores?.top1), 'best top-1'],
    [scores && uneven ? percent(scores.balancedAccuracy) : undefined, 'balanced accuracy'],
    [scores && uneven ? percent(scores.macroF1) : undefined, 'macro F1'],
    [scores && classes > 5 ? percent(scores.top5) : undefined, 'top-5'],
    [scores?.loss.toFixed(4), 'validation loss'],
    [scores ? undefined : percent(last?.top1), 'training top-1'],
    [scores ? undefined : last?.loss.toFixed(4), 'training loss'],
    [scores && `${best!.epoch} of ${lines.length}`, 'best epoch'],
    [lines.length > 0 ? duration(secondsOf(lines)) : undefined, 'training time'],
    [rate === undefined ? undefined : whole(Math.round(rate)), 'images/s'],
    [data && whole(data.train), 'training images'],
    [data && whole(data.validation), 'validation images'],
    [data && whole(classes), 'classes'],
    [network && short(network.parameters), 'parameters'],
    [network && short(network.macs), 'multiply-adds'],
  ]);
}

interface Column {
  readonly name: string;
  readonly of: (line: EpochLine) => string | undefined;
  /** Whether it is shown only if classes are uneven. */
  readonly forUneven?: true;
}

const columns: readonly Column[] = [
  { name: 'epoch', of: ({ epoch }) => `${epoch}` },
  { name: 'loss', of: ({ loss }) => loss.toFixed(4) },
  { name: 'top-1, %', of: ({ top1 }) => top1.toFixed(2) },
  { name: 'val loss', of: ({ validation }) => validation?.loss.toFixed(4) },
  { name: 'val top-1, %', of: ({ validation }) => validation?.top1.toFixed(2) },
  { name: 'raw val loss', of: ({ rawValidation }) => rawValidation?.loss.toFixed(4) },
  { name: 'raw val top-1, %', of: ({ rawValidation }) => rawValidation?.top1.toFixed(2) },
  { name: 'balanced, %', of: ({ validation }) => validation?.balancedAccuracy?.toFixed(2), forUneven: true },
  { name: 'macro F1, %', of: ({ validation }) => validation?.macroF1?.toFixed(2), forUneven: true },
  { name: 'learning rate', of: ({ learningRate }) => numberText(learningRate) },
  { name: 'seconds', of: ({ seconds }) => seconds.toFixed(1) },
  { name: 'images/s', of: ({ images, seconds }) => (images === undefined ? undefined : (images / seconds).toFixed(0)) },
  { name: 'best', of: ({ best }) => (best ? '✓' : '') },
];

/** All epochs, without columns that have nothing in them. */
function epochTable(lines: readonly EpochLine[], uneven: boolean): string {
  const shown = columns.filter(({ of, forUneven }) => (uneven || !forUneven) && lines.some((line) => of(line)));
  const rows = lines.map((line) => shown.map(({ of }) => of(line) ?? '–'));
  const table = htmlTable([shown.map(({ name }) => name), ...rows]);
  return `<details><summary>All epochs as a table</summary>${table}</details>`;
}

async function evaluated(
  { result, mistakes = [] }: NonNullable<RunPage['evaluation']>,
  best: EpochLine | undefined,
): Promise<string[]> {
  const model = best === undefined ? 'The model' : `The model of epoch ${best.epoch}`;
  return [
    `<p class="evaluated">${model} on ${count(result.images, 'validation image')}: top-1 ${percent(result.top1)}, loss ${result.loss.toFixed(4)}, balanced accuracy ${percent(result.balancedAccuracy)}, macro F1 ${percent(result.macroF1)}.</p>`,
    ...(await evaluationSections(result, mistakes)),
  ];
}
