/**
 * Whether more cardinality beats more width at equal multiply-adds (`experiments/cardinality.ts`).
 *
 *   npm run cardinality -- DIR [--out FOLDER] [--seeds N] [--epochs N] [--quick] [--report]
 *
 * DIR has the images of CIFAR-10 in `train` and `test` (or `val`), with one subfolder per class. Runs are made in FOLDER,
 * runs/cardinality unless given. Stop it with Ctrl-C and repeat the command to go on: it takes about an hour and a half on
 * two cores. The results go to bench/results/cardinality.json, docs/drawings/cardinality.svg and docs/results.md. --report
 * writes those of the runs that are finished, and trains no more. --quick tries it on a few images, and writes no results.
 */
import { join, resolve } from 'node:path';
import {
  cardinality,
  comparedNetworks,
  planRuns,
  runsOf,
  type Training,
  usualTraining,
} from './experiments/cardinality.ts';
import { resultsPath, writeDocument } from './experiments/documents.ts';
import { imagesOf, subfolder, writeList } from './experiments/images.ts';
import { finishedRuns, makeRuns } from './experiments/runs.ts';
import { commandLine, count, introduce, main, stopSignal, writeResults } from './report.ts';

await main(async () => {
  const { values, positionals } = commandLine({
    out: { type: 'string', default: 'runs/cardinality' },
    seeds: { type: 'string' },
    epochs: { type: 'string' },
    report: { type: 'boolean', default: false },
  });
  const [data] = positionals;
  if (data === undefined) throw new Error('Name the folder of CIFAR-10, which has "train" and "test".');
  const { quick, report } = values;
  const folder = resolve(quick ? `${values.out}-quick` : values.out);
  const perClass = quick ? { count: 32 } : {};
  const [train, test] = [subfolder(data, ['train']), subfolder(data, ['test', 'val'])];
  const images = [...imagesOf(train, 'train', perClass), ...imagesOf(test, 'val', perClass)];
  const training: Training = { ...usualTraining, epochs: count('epochs', values.epochs, usualTraining.epochs) };
  const { length: sizes } = training.sizes;
  if (training.epochs < sizes) throw new Error(`--epochs is ${training.epochs}, but each of ${sizes} sizes needs one.`);
  const list = join(folder, 'images.csv');
  const plans = planRuns(list, count('seeds', values.seeds, quick ? 1 : 3), training);
  introduce();
  if (!report) {
    writeList(list, images);
    await makeRuns(plans, { folder, say: console.log, signal: stopSignal() });
  }
  const finished = finishedRuns(folder, plans);
  console.log(`${finished.length} of ${plans.length} runs are finished.`);
  if (quick || finished.length === 0) return;
  const validation = images.filter(({ split }) => split === 'val').length;
  await writeResults(resultsPath('cardinality'), 'cardinality', {
    ...{ training, images: images.length - validation, validation },
    networks: await comparedNetworks(),
    runs: runsOf(finished),
  });
  await writeDocument(cardinality);
});
