/**
 * What the models of this package are worth as a start, compared with training from scratch (`experiments/transfer.ts`).
 *
 *   npm run transfer -- --flowers DIR --cifar DIR [--out FOLDER] [--seeds N] [--cifar10 MODEL] [--objects200 MODEL]
 *                                                 [--quick] [--report]
 *
 * The folders have one subfolder per class in `train` and in `val` or `test`. Runs are made in FOLDER, runs/transfer unless
 * given. Stop it with Ctrl-C and repeat the command to go on: it takes about an hour on two cores. The results go to
 * bench/results/transfer.json, docs/drawings/transfer.svg and docs/results.md. --report writes those of the runs that are
 * finished, and trains no more. --cifar10 and --objects200 name other models to start from. --quick tries it with one epoch of
 * a few images each, and writes no results.
 */
import { join, resolve } from 'node:path';
import { resultsPath, writeDocument } from './experiments/documents.ts';
import { finishedRuns, makeRuns } from './experiments/runs.ts';
import { planTransfers, type TransferSources, transfer, transferRunsOf, writeLists } from './experiments/transfer.ts';
import { commandLine, count, introduce, main, stopSignal, writeResults } from './report.ts';

await main(async () => {
  const { values } = commandLine({
    flowers: { type: 'string' },
    cifar: { type: 'string' },
    out: { type: 'string', default: 'runs/transfer' },
    seeds: { type: 'string' },
    cifar10: { type: 'string', default: 'cifar10' },
    objects200: { type: 'string', default: 'objects200' },
    report: { type: 'boolean', default: false },
  });
  const { flowers, cifar, cifar10, objects200, quick, report } = values;
  if (flowers === undefined) throw new Error('Name the folder of flowers with --flowers.');
  if (cifar === undefined) throw new Error('Name the folder of CIFAR-10 with --cifar.');
  const folder = resolve(quick ? `${values.out}-quick` : values.out);
  const variants = { cifar10: await variantOf(cifar10), objects200: await variantOf(objects200) };
  const seeds = count('seeds', values.seeds, quick ? 1 : 3);
  const sources: TransferSources = {
    ...{ flowers, cifar, models: { cifar10, objects200 } },
    variant: variants.objects200,
    lists: join(folder, 'lists'),
  };
  const size = { seeds, maxEpochs: quick ? 1 : Infinity, maxPerClass: quick ? 4 : Infinity };
  const plans = planTransfers(sources, size);
  introduce();
  if (!report) {
    writeLists(sources, size);
    await makeRuns(plans, { folder, say: console.log, signal: stopSignal() });
  }
  const finished = finishedRuns(folder, plans);
  console.log(`${finished.length} of ${plans.length} runs are finished.`);
  if (quick || finished.length === 0) return;
  await writeResults(resultsPath('transfer'), 'transfer', {
    variants: { scratch: variants.objects200, ...variants },
    runs: transferRunsOf(finished),
  });
  await writeDocument(transfer);
});

/** The network of a model. */
async function variantOf(name: string): Promise<string> {
  const { load } = await import('resnext');
  const model = await load(name);
  await model.dispose();
  return model.description.variant;
}
