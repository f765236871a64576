/**
 * How long the models of docs/choosing.md take on this machine (`experiments/choosing.ts`).
 *
 *   npm run choosing -- [--rounds N] [--steps N] [--threads N] [--batch N] [--quick]
 *
 * Every network is timed in every round, N times alone and in a batch, and the median of the rounds counts. It takes about
 * five minutes. The results go to bench/results/choosing.json, docs/drawings/choosing.svg and docs/choosing.md;
 * with --quick, nowhere.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Graph } from 'resnext/graph';
import { type Candidate, type Choice, choosing, published, type TestSet } from './experiments/choosing.ts';
import { resultsPath, root, writeDocument } from './experiments/documents.ts';
import { spread } from './harness.ts';
import { commandLine, count, introduce, main, printTable, short, writeResults } from './report.ts';

await main(async () => {
  const { values } = commandLine({ threads: { type: 'string' }, batch: { type: 'string' } });
  const { quick } = values;
  const rounds = count('rounds', values.rounds, quick ? 1 : 3);
  const runs = count('steps', values.steps, quick ? 1 : 10);
  const threads = count('threads', values.threads, 2);
  const batch = count('batch', values.batch, 16);
  introduce();
  const candidates = [...(await shippedCandidates()), ...(await publishedCandidates())];
  const graphs = new Map<string, Graph>();
  for (const candidate of candidates) graphs.set(keyOf(candidate), await graphOf(candidate, graphs));
  const times = new Map([...graphs.keys()].map((key) => [key, { alone: [] as number[], batch: [] as number[] }]));
  for (let round = 0; round < rounds; round++) {
    for (const [key, graph] of graphs) {
      const { alone, batch: together } = times.get(key)!;
      alone.push(await timeOf(graph, { batch: 1, threads, runs }));
      together.push(await timeOf(graph, { batch, threads, runs: Math.ceil(runs / 5) }));
    }
  }
  const models = candidates.map((candidate): Choice => {
    const { alone, batch: together } = times.get(keyOf(candidate))!;
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

/** Models of one network take the same time, and are timed once. */
const keyOf = ({ variant, size }: Candidate): string => `${variant} ${size}`;

/** A network with random weights. */
async function graphOf(candidate: Candidate, known: ReadonlyMap<string, Graph>): Promise<Graph> {
  const same = known.get(keyOf(candidate));
  if (same) return same;
  const { initialWeights, resnext, setWeights, variant } = await import('resnext');
  const model = resnext({ ...variant(candidate.variant), inputSize: candidate.size });
  setWeights(model, initialWeights(model, 1));
  return model.graph;
}

/** Milliseconds per run. */
async function timeOf(
  graph: Graph,
  options: { readonly batch: number; readonly threads: number; readonly runs: number },
): Promise<number> {
  const { benchmark } = await import('resnext/graph');
  return (await benchmark(graph, options)).milliseconds;
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
