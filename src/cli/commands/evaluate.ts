/** `resnext evaluate`: measures a model's accuracy on labeled images, per class, as text, JSON or an HTML report. */
import { defaultModel } from '../../catalog/shipped.ts';
import type { Classifier } from '../../classifier/classifier.ts';
import type { Evaluation } from '../../classifier/evaluation.ts';
import { columnsOf } from '../../data/datasets.ts';
import { nameOf, type SampleList } from '../../data/samples.ts';
import { openLabeledImages } from '../../datasets/open.ts';
import { printable, UsageError } from '../../errors.ts';
import { writeFileAtomically } from '../../files.ts';
import { defaultModelFile } from '../../hub/shipped.ts';
import { mostConfused, weakestFirst } from '../../metrics/confusion.ts';
import type { OptionsOf } from '../../options.ts';
import { checkPageFile } from '../../output/endings.ts';
import { checkPredictionFile, type LabeledPrediction, predictionRows } from '../../output/evaluation.ts';
import { counted, table } from '../../output/text.ts';
import { evaluationReport } from '../../report/evaluation.ts';
import { type Measured, measure, shownMistakes } from '../../report/measure.ts';
import { heldOutOf } from '../../train/held-out.ts';
import { openClassifier } from '../model.ts';
import type { evaluateOptions } from '../options/evaluate.ts';
import type { Output } from '../output.ts';

type EvaluateOptions = OptionsOf<typeof evaluateOptions>;

export async function run(options: EvaluateOptions, output: Output): Promise<number> {
  const { dir, model = defaultModel, tta, report, output: file } = options;
  if (file !== undefined) checkPredictionFile(file);
  if (report !== undefined) checkPageFile(report);
  const classifier = await openClassifier(options, output);
  try {
    const { classes } = classifier.description;
    if (classes.length === 0) {
      throw new UsageError(`The model "${model}" has no classes. Use resnext features instead.`);
    }
    const { dir: folder, samples, notes = [] } = await openLabeledImages(dir, classes, columnsOf(options));
    for (const note of notes) output.warn(note);
    const heldOut = await heldOutOf(options.model ?? defaultModelFile(), { dir: folder, samples, classes });
    const measured = await measure(classifier, samples, readOptions(options, output));
    if (heldOut?.includes(false)) output.warn(remarkOnTraining(heldOut, samples, measured));
    if (file !== undefined) await writeFileAtomically(file, predictionRows(file, labeled(measured, samples)));
    if (report !== undefined) await writeReport(report, measured, samples, { ...options, dir: folder }, classifier);
    const { result, corrupt } = measured;
    const { scores, confusion, ...figures } = result;
    const rows = confusion.map((row) => Array.from(row));
    output.document({ model, dir, views: tta, ...figures, scores, confusion: rows, corrupt });
    output.line(describe(result, folder, corrupt.length, output.width));
    const written = [file, report].flatMap((path) => (path === undefined ? [] : [printable(path)]));
    if (written.length > 0) output.line(`\nWrote ${written.join(' and ')}.`);
  } finally {
    await classifier.dispose();
  }
  return 0;
}

/** How images are read, and how progress is shown. */
const readOptions = ({ batch, tta, strict }: EvaluateOptions, output: Output) => ({
  batchSize: batch,
  views: tta,
  corrupt: strict ? ('throw' as const) : ('skip' as const),
  onCorrupt: (_: string, message: string) => {
    if (!strict) output.warn(message);
  },
  onProgress: (done: number, total: number) => output.progress(done / total, `${done} of ${counted(total, 'image')}`),
});

/** Images that a model was trained on say little of how it does on others. */
function remarkOnTraining(heldOut: readonly boolean[], samples: SampleList, { predicted }: Measured): string {
  const others = [...predicted].flatMap((best, i) => (heldOut[i] && best >= 0 ? [best === samples.label(i)] : []));
  const trained = heldOut.filter((held) => !held).length;
  if (others.length === 0) return 'The model was trained on these images. Evaluate it on others.';
  const top1 = (100 * others.filter(Boolean).length) / others.length;
  return `The model was trained on ${trained} of these ${samples.length} images. On the ${others.length} others, top-1 is ${top1.toFixed(2)} %.`;
}

/** The predictions with names, without images that cannot be read. */
function* labeled(
  { result: { scores }, predicted, probabilities }: Measured,
  samples: SampleList,
): Generator<LabeledPrediction, void, undefined> {
  for (const [index, best] of predicted.entries()) {
    const label = samples.label(index);
    const [own, prediction] = [scores[label]!.label, scores[best]?.label];
    if (prediction === undefined) continue;
    yield {
      path: nameOf(samples.at(index)!),
      class: own,
      prediction,
      probability: probabilities[index]!,
      correct: best === label,
    };
  }
}

async function writeReport(
  file: string,
  measured: Measured,
  samples: SampleList,
  { model = defaultModel, dir, tta, maxMegapixels }: EvaluateOptions,
  classifier: Classifier,
): Promise<void> {
  const mistakes = await shownMistakes(measured, samples, maxMegapixels, classifier);
  const notes =
    tta === 'center' ? [] : [`Logits are averaged over ${tta === 'flip' ? 'image and mirror image' : 'ten crops'}.`];
  await writeFileAtomically(file, await evaluationReport(measured.result, { model, folder: dir, notes, mistakes }));
}

/** The confusion matrix and the table of classes are printed whole up to this many classes; beyond, only excerpts. */
const [maxInMatrix, maxInTable, maxListed] = [12, 100, 20] as const;

function describe(result: Evaluation, folder: string, corrupt: number, width: number): string {
  const { images, top1, top5, balancedAccuracy, macroF1, loss, scores } = result;
  const topFive = scores.length > 5 ? `, top-5 ${percent(top5)}` : '';
  const total = `${counted(images, 'image')} in ${printable(folder)}: top-1 ${percent(top1)}${topFive}, loss ${loss.toFixed(4)}`;
  const means = `Over classes: balanced accuracy ${percent(balancedAccuracy)}, macro F1 ${percent(macroF1)}`;
  const unread = corrupt > 0 ? `\n${counted(corrupt, 'image')} could not be read.` : '';
  return [`${total}\n${means}${unread}`, ...classTable(result), ...confusionTable(result, width)].join('\n\n');
}

/** All classes, or if there are many, the least accurate of those with images. */
function classTable({ scores }: Evaluation): string[] {
  const weakest = weakestFirst(scores);
  const shown = scores.length <= maxInTable ? scores : weakest.slice(0, maxListed);
  const rows = shown.map(({ label, images, recall, precision, f1 }) => [
    ...[label, images, percent(recall), percent(precision), percent(f1)],
  ]);
  const some = weakest.length > shown.length ? `The ${shown.length} least accurate of the` : 'The';
  const note = shown === scores ? [] : [`${some} ${weakest.length} classes with images, least accurate first:`];
  return [...note, table([['class', 'images', 'top-1 (recall)', 'precision', 'F1'], ...rows])];
}

/** The whole matrix if it is small, or else the most confused pairs. */
function confusionTable({ scores, confusion }: Evaluation, width: number): string[] {
  if (scores.length <= maxInMatrix) {
    const head = ['predicted as', ...scores.map((_, k) => k + 1)];
    const rows = scores.map(({ label }, t) => [`${numbered(t)} ${label}`, ...confusion[t]!]);
    const matrix = table([head, ...rows]);
    if (matrix.split('\n').every((line) => line.length <= width)) return [matrix];
  }
  const pairs = mostConfused(confusion, maxListed);
  if (pairs.length === 0) return [];
  const rows = pairs.map(({ label, predicted, images }) => {
    return [scores[label]!.label, scores[predicted]!.label, images, `of ${scores[label]!.images}`];
  });
  return ['Most confused:', table([['class', 'predicted as', 'images', ''], ...rows])];
}

/** The number of a class in the matrix. */
const numbered = (place: number): string => String(place + 1).padStart(2);

const percent = (value: number): string => `${value.toFixed(2)} %`;
