/**
 * What to choose a model by: accuracy as published, speed on this machine, size and license, for the models of this package
 * and some published ones. Speed depends on the network alone, so it is measured with random weights, and nothing is
 * downloaded.
 */
import { scatterChart } from '../../src/charts/scatter.ts';
import { svgFile } from '../../src/charts/svg-file.ts';
import { type Experiment, measuredOn, type Part, picture, type ResultHead, table } from './documents.ts';

/** Published weights to choose from, smallest network first: the best ones of their size and license. */
export const published: readonly string[] = [
  'resnext29_32x4d.pytorchcv_cifar10',
  'resnext14_16x4d.pytorchcv_in1k',
  'resnext26_32x4d.pytorchcv_in1k',
  'seresnext26t_32x4d.bt_in1k',
  'resnext50_32x4d.tv2_in1k',
  'resnext50_32x4d.fb_swsl_ig1b_ft_in1k',
  'seresnext50_32x4d.racm_in1k',
  'resnext101_64x4d.tv_in1k',
  'resnext101_32x8d.fb_swsl_ig1b_ft_in1k',
  'seresnextaa101d_32x8d.sw_in12k_ft_in1k',
];

/** What the accuracy of a model was measured on. Figures on different sets cannot be compared. */
export const testSets = {
  'imagenet-1k': 'ImageNet, 1,000 classes',
  'cifar-10': 'CIFAR-10, 10 classes',
  objects200: 'small photos, 200 classes',
} as const;

export type TestSet = keyof typeof testSets;

/** A model, without what is measured. */
export interface Candidate {
  readonly name: string;
  readonly variant: string;
  /** Height and width of the input. */
  readonly size: number;
  readonly megabytes: number;
  readonly parameters: number;
  readonly license: string;
  /** In percent. */
  readonly top1: number;
  readonly testSet: TestSet;
}

export interface Choice extends Candidate {
  /** Median time of one image alone. */
  readonly milliseconds: number;
  /** In batches. */
  readonly imagesPerSecond: number;
}

export interface ChoosingResults extends ResultHead {
  readonly threads: number;
  readonly batch: number;
  readonly models: readonly Choice[];
}

async function part(results: ChoosingResults): Promise<Part> {
  const text =
    'Top-1 accuracy of models for photos by the time of one image; the area of a circle is the size of the file';
  const { threads, batch } = results;
  const how = `Time of one image alone, and images per second in batches of ${batch}, with ${threads} threads, random weights and without reading images. Accuracies are on the test set of the last column, as the weights’ publishers state them; those on different test sets cannot be compared.`;
  const markdown = [picture('choosing', text), tableOf(results.models), `${measuredOn(results)} ${how}`];
  return { markdown: markdown.join('\n\n'), drawing: svgFile(await chartOf(results.models)) };
}

function tableOf(models: readonly Choice[]): string {
  const head = ['model', 'input', 'ms per image', 'images/s', 'file', 'license', 'top-1', 'of'];
  const rows = models.map(({ name, size, milliseconds, imagesPerSecond, megabytes, license, top1, testSet }) => [
    ...[
      `\`${name}\``,
      `${size}`,
      `${Number(milliseconds.toPrecision(2))}`,
      `${Number(imagesPerSecond.toPrecision(2))}`,
    ],
    ...[`${megabytes < 10 ? megabytes.toFixed(1) : megabytes.toFixed(0)} MB`, license],
    ...[`${top1.toFixed(1)} %`, testSets[testSet]],
  ]);
  return table([head, ...rows]);
}

/** The models for photos, whose accuracies can be compared; those that may not be sold in a color of their own. */
const chartOf = (models: readonly Choice[]): Promise<string> =>
  scatterChart({
    title: 'Accuracy and time of models for photos',
    ...{ x: 'ms per image, alone', y: 'top-1 on ImageNet', unit: ' %', logarithmic: true },
    series: [
      { name: 'for any use', color: 1 as const, isCommercial: true },
      { name: 'not for commercial use', color: 2 as const, isCommercial: false },
    ].map(({ name, color, isCommercial }) => ({
      ...{ name, color },
      points: models
        .filter(({ testSet, license }) => testSet === 'imagenet-1k' && isCommercial !== license.includes('-NC'))
        .map(({ name, milliseconds, top1, megabytes }) => ({ name, x: milliseconds, y: top1, size: megabytes })),
    })),
  });

export const choosing: Experiment<ChoosingResults> = {
  name: 'choosing',
  document: 'choosing.md',
  command: 'npm run choosing',
  part,
};
