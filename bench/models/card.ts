/** The model card of a shipped model, as Markdown: figures that were measured, and the facts of `about.ts`. */
import type { Evaluation, ModelDescription, RecipeEntry } from 'resnext';
import { recipes } from 'resnext';
import { type ClassScore, mostConfused } from 'resnext/data';
import type { EpochLine, RunDetails } from '../../src/report/run-details.ts';
import { bestOf, secondsOf } from '../../src/report/run-details.ts';
import type { About } from './about.ts';
import { type Accuracy, accuracyOf } from './accuracy.ts';
import { groupedConfusion } from './pictures.ts';

export interface CardFacts {
  readonly name: string;
  readonly about: About;
  readonly description: ModelDescription;
  /** Of the shipped file: bytes, parameters, and multiply-adds for an image. */
  readonly size: { readonly bytes: number; readonly parameters: number; readonly macs: number };
  /** Of the shipped file, on all images of the evaluation and on the sample. */
  readonly test: Evaluation;
  readonly sample: Evaluation;
  readonly lines: readonly EpochLine[];
  readonly details: RunDetails;
}

const percent = (share: number): string => `${share.toFixed(2)} %`;
const whole = (value: number): string => value.toLocaleString('en');

/** The rows of a table in Markdown, the first of which is its head. */
function table(rows: readonly (readonly (string | number)[])[], numeric: readonly number[] = []): string {
  const [head, ...body] = rows.map((row) => `| ${row.join(' | ')} |`);
  const rule = `| ${rows[0]!.map((_, column) => (numeric.includes(column) ? '---:' : '---')).join(' | ')} |`;
  return [head, rule, ...body].join('\n');
}

/** Beyond, the table of classes is folded, and only the weakest are shown. */
const maxClasses = 20;

export function card(facts: CardFacts): string {
  const { name, about, description } = facts;
  return `${[
    `# ${about.title}`,
    about.purpose,
    `\`\`\`\n${about.use}\n\`\`\``,
    table([
      ['', ''],
      ['network', networkOf(facts)],
      [
        'input',
        `color images, resized to ${description.preprocessing.size} x ${description.preprocessing.size} pixels`,
      ],
      ['file', `\`model.safetensors\`, float16, ${(facts.size.bytes / 1e6).toFixed(2)} MB, under torchvision’s names`],
      [
        'classes',
        description.classes.length > maxClasses
          ? `${description.classes.length}, listed below`
          : description.classes.join(', '),
      ],
      ['license', 'Apache-2.0, as the package; see [the terms of the images](#images-and-their-terms)'],
    ]),
    '## Accuracy',
    accuracySection(facts),
    ...classSections(facts),
    '### Calibration',
    calibrationSection(facts.test),
    '## Training',
    trainingSection(facts),
    '## Images and their terms',
    about.data,
    about.terms,
    '## What it cannot do',
    about.limits.map((limit) => `- ${limit}`).join('\n'),
    '## Check it',
    `\`\`\`sh\nnpm run evaluate:default -- ${about.dataset}      # all ${about.evaluated}, against the figures above\nnpx vitest run test/shipped-accuracy.test.ts   # the sample\n\`\`\``,
    `This file, its pictures and \`accuracy.json\` were written by \`npm run models -- ${name} RUN ${about.dataset}\`, which evaluates the file that is shipped.`,
  ].join('\n\n')}\n`;
}

function networkOf({ description, size }: CardFacts): string {
  const { cardinality, baseWidth, depths } = description.config;
  const layers = 3 * depths.reduce((a, b) => a + b, 0) + 2;
  return `\`${description.variant}\`: ${layers} layers, cardinality ${cardinality}, bottleneck width ${baseWidth}d; ${(size.parameters / 1e6).toFixed(2)} M parameters, ${(size.macs / 1e6).toFixed(1)} M multiply-adds an image`;
}

function accuracySection({ name, about, test, sample, lines, details }: CardFacts): string {
  const [best, last] = [bestOf(lines), lines.at(-1)];
  const isLast = best?.epoch === last?.epoch;
  const measured = (what: string, evaluation: Evaluation) => {
    const { images, correct, correctInFive, loss }: Accuracy = accuracyOf(evaluation);
    const share = (count: number) => percent((100 * count) / images);
    return [what, whole(images), share(correct), whole(correct), share(correctInFive), loss.toFixed(4)];
  };
  const trained = (what: string, line: EpochLine | undefined) => {
    if (!line?.validation) return [];
    const { top1, top5 = Number.NaN, loss } = line.validation;
    const images = details.data?.validation ?? test.images;
    const correct = whole(Math.round((top1 * images) / 100));
    const how = `in training, float32, epoch ${line.epoch}: ${what}`;
    return [[how, whole(images), percent(top1), correct, percent(top5), loss.toFixed(4)]];
  };
  const chosen = isLast
    ? `The last epoch had the best top-1 on these ${about.evaluated}, so that choosing the best one chose it.`
    : `The epoch was chosen by its top-1 on these ${about.evaluated}, so the figures of the shipped file are slightly optimistic; those of the last epoch, which nobody chose, are not.`;
  return [
    table(
      [
        ['', 'images', 'top-1', 'correct', 'top-5', 'loss'],
        measured(`**the shipped file, all ${about.evaluated}**`, test),
        measured(`the shipped file, [the sample in this repository](../../test/samples/${name}.tar.gz)`, sample),
        ...trained(isLast ? 'the best and the last, which is shipped' : 'the best, which is shipped', best),
        ...(isLast ? [] : trained('the last', last)),
      ],
      [1, 2, 3, 4, 5],
    ),
    `${chosen} Balanced accuracy is ${percent(test.balancedAccuracy)}, macro F1 ${percent(test.macroF1)}.`,
  ].join('\n\n');
}

function classSections({ test, about, description }: CardFacts): string[] {
  const { scores, confusion } = test;
  const isLarge = scores.length > maxClasses;
  const weakest = scores.toSorted((a, b) => a.recall - b.recall);
  const pairs = mostConfused(confusion, isLarge ? 20 : 10).map(({ label, predicted, images }) => [
    description.classes[label]!,
    description.classes[predicted]!,
    `${images} of ${scores[label]!.images}`,
  ]);
  const matrix = about.groups
    ? `A matrix of ${scores.length} classes is not legible, so this one has groups of them: each row is the group of the true class, each column that of the predicted one. ${inGroup(test, about.groups)} of the predictions are a class of the right group.`
    : 'Each row is a true class, each column a predicted one.';
  return [
    '### Classes',
    ...(isLarge
      ? [
          `The ten strongest and the twenty weakest of ${scores.length}, by recall, the top-1 accuracy of a class:`,
          classTable([...weakest.slice(-10).reverse(), ...weakest.slice(0, 20).reverse()]),
          `<details>\n<summary>All ${scores.length} classes</summary>\n\n${classTable(scores)}\n\n</details>`,
        ]
      : ['Recall is the top-1 accuracy of a class.', classTable(scores)]),
    '### Confusion',
    `![Confusion matrix of ${about.groups ? 'groups of classes' : 'the classes'}](confusion.svg)`,
    matrix,
    'Most confused:',
    table([['class', 'predicted as', 'images'], ...pairs], [2]),
  ];
}

/** The share of predictions on the diagonal of groups. */
function inGroup(test: Evaluation, groups: NonNullable<About['groups']>): string {
  const right = groupedConfusion(test, groups).reduce((sum, row, group) => sum + row[group]!, 0);
  return percent((100 * right) / test.images);
}

const classTable = (scores: readonly ClassScore[]): string =>
  table(
    [
      ['class', 'images', 'recall', 'precision', 'F1'],
      ...scores.map(({ label, images, recall, precision, f1 }) => [
        ...[label, images],
        ...[recall, precision, f1].map((value) => `${value.toFixed(1)} %`),
      ]),
    ],
    [1, 2, 3, 4],
  );

function calibrationSection({ calibration, top1 }: Evaluation): string {
  const { error, confidence, bins } = calibration;
  const difference = 100 * confidence - top1;
  const judged = Math.abs(difference) < 1 ? 'about right' : difference > 0 ? 'too high' : 'too low';
  const rows = bins
    .filter(({ count }) => count > 0)
    .map((bin) => [
      bin.from === bin.to ? 'exactly 100 %' : `${(100 * bin.from).toFixed(0)} to ${(100 * bin.to).toFixed(0)} %`,
      whole(bin.count),
      ...[bin.confidence, bin.accuracy].map((share) => `${(100 * share).toFixed(1)} %`),
    ]);
  return [
    `The probability of the predicted class is ${percent(100 * confidence)} on average, and ${percent(top1)} of the predictions are right: the confidence is ${judged}. The expected calibration error (15 bins) is ${percent(100 * error)}. Training with label smoothing lowers the confidence.`,
    table([['probability', 'images', 'mean', 'right'], ...rows], [1, 2, 3]),
  ].join('\n\n');
}

function trainingSection({ name, about, lines, details }: CardFacts): string {
  const { cpu, cores, memory } = details.machine as { cpu?: string; cores?: number; memory?: number };
  const { data, versions } = details;
  const hours = (secondsOf(lines) / 3600).toFixed(1);
  const entry: RecipeEntry = recipes[about.recipe];
  const { trainSize: sizes = [], size } = entry.options;
  const options = Object.entries(entry.options).map(([option, value]) => `${option}: ${JSON.stringify(value)}`);
  return [
    `![Top-1 on the training images and on the ${about.evaluated}, by epoch](curve.svg)`,
    ...(sizes.length > 1
      ? [
          `Training images have ${sizes.join(', ')} pixels in turn, for equal parts of the epochs, and the ${about.evaluated} always ${size}, which is part of why their curve is lower and uneven until the last sizes.`,
        ]
      : []),
    `\`\`\`sh\nresnext train ${about.dataset} --recipe ${about.recipe}${about.from ? ` --from ${about.from}` : ''} --out runs/${name}\n\`\`\``,
    `makes it again, where \`${about.dataset}/train\` has the training images and \`${about.dataset}/val\` the ${about.evaluated}, in a folder for each class. The recipe has these options, and the defaults of all others; \`resnext recipe ${about.recipe} --all\` prints both, and \`model.json\` has those of the run.`,
    `\`\`\`yaml\n${options.join('\n')}\n\`\`\``,
    `${lines.length} epochs of ${whole(data?.train ?? 0)} images took ${hours} hours on ${cores} cores (${cpu}, ${((memory ?? 0) / 2 ** 30).toFixed(0)} GiB of memory), beside other work; resnext ${versions.resnext}, ONNX Runtime ${versions.onnxruntime}, Node ${versions.node}. On another machine, rounding leads the same run to other weights, which are about as good.`,
  ].join('\n\n');
}
