/**
 * How long the models of docs/choosing.md take on this machine (`experiments/choosing.ts`).
 *
 *   npm run choosing -- [--rounds N] [--steps N] [--threads N] [--batch N] [--quick]
 *
 * Every network is timed in every round, N times alone and in a batch, and the median of all counts. It takes two minutes.
 * The results go to bench/results/choosing.json, docs/drawings/choosing.svg and docs/choosing.md; with --quick, nowhere.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Candidate, type Choice, choosing, published, type TestSet } from './experiments/choosing.ts';
import { resultsPath, root, writeDocument } from './experiments/documents.ts';
import { spread } from './harness.ts';
import { commandLine, count, introduce, main, printTable, short, writeResults } from './report.ts';

await main(async () => {
  const { values } = commandLine({ threads: { type: 'string' }, batch: { type: 'string' } });
  const { quick } = values;
  const rounds = count('rounds', values.rounds, quick ? 1 : 5);
  const runs = count('steps', values.steps, quick ? 1 : 10);
  const threads = count('threads', values.threads, 2);
  const batch = count('batch', values.batch, 16);
  introduce();
  const candidates = [...(await shippedCandidates()), ...(await publishedCandidates())];
  const times = candidates.map(() => ({ alone: [] as number[], batch: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, candidate] of candidates.entries()) {
      times[i]!.alone.push(await timeOf(candidate, { batch: 1, threads, runs }));
      times[i]!.batch.push(await timeOf(candidate, { batch, threads, runs: Math.ceil(runs / 5) }));
    }
  }
  const models = candidates.map((candidate, i): Choice => {
    const { alone, batch: together } = times[i]!;
    const [milliseconds, ofBatch] = [spread(alone).median, spread(together).median];
    return { ...candidate, milliseconds, imagesPerSecond: (1000 * batch) / ofBatch };
  });
  const rows = models.map(({ name, milliseconds, imagesPerSecond }) => [
    name,
    short(milliseconds),
    short(imagesPerSecond),
  ]);
  printTable([['', 'ms per image', 'images/s'], ...rows]);
  if (quick) return;
  await writeResults(resultsPath('choosing'), 'choosing', { threads, batch, models });
  await writeDocument(choosing);
});

/** Milliseconds of a network with random weights. */
async function timeOf(
  { variant: name, size }: Candidate,
  options: { readonly batch: number; readonly threads: number; readonly runs: number },
): Promise<number> {
  const [{ initialWeights, resnext, setWeights, variant }, { benchmark }] = await Promise.all([
    import('resnext'),
    import('resnext/graph'),
  ]);
  const model = resnext({ ...variant(name), inputSize: size });
  setWeights(model, initialWeights(model, 1));
  return (await benchmark(model.graph, options)).milliseconds;
}

/** The models of this package, by their own descriptions. */
async function shippedCandidates(): Promise<Candidate[]> {
  const [{ load }, { shippedModels }, { network }] = await Promise.all([
    import('resnext'),
    import('resnext/weights'),
    import('./networks.ts'),
  ]);
  const testSets: Readonly<Record<string, TestSet>> = { cifar10: 'cifar-10', objects200: 'objects200' };
  const candidates: Candidate[] = [];
  for (const { name } of shippedModels) {
    const model = await load(name);
    const { variant, config, metrics } = model.description;
    await model.dispose();
    const { parameters } = await network(variant);
    const { size: bytes } = statSync(join(root, `models/${name}/model.safetensors`));
    candidates.push({
      ...{ name, variant, size: config.inputSize[0], parameters, license: 'Apache-2.0' },
      ...{ megabytes: bytes / 1e6, top1: metrics.top1!, testSet: testSets[name]! },
    });
  }
  return candidates;
}

async function publishedCandidates(): Promise<Candidate[]> {
  const { findWeights } = await import('resnext/weights');
  return published.map((name) => {
    const { variant, preprocessing, megabytes, parameters, license, metrics, labels } = findWeights(name);
    const { size } = preprocessing;
    const { top1 } = metrics.find((metric) => metric.size === size)!;
    return { name, variant, size, megabytes, parameters, license, top1, testSet: labels as TestSet };
  });
}
