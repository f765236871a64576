/**
 * `resnext bench`: measures how long a model takes on this machine. `--tune` finds the fastest settings here and saves
 * them.
 */
import { type Machine, thisMachine } from '#platform';
import { type Benchmark, benchmark, tune } from '../../benchmark/benchmark.ts';
import { cacheFolder } from '../../cache/folder.ts';
import { readTuning, writeTuning } from '../../cache/tuning.ts';
import { defaultModel } from '../../catalog/shipped.ts';
import { UsageError } from '../../errors.ts';
import type { Graph } from '../../graph/graph.ts';
import { defaultModelFile } from '../../hub/shipped.ts';
import { initialWeights } from '../../model/init.ts';
import { resnext } from '../../model/resnext.ts';
import { setWeights } from '../../model/weights.ts';
import { isOnnxFile, readOnnxFile } from '../../onnx/files.ts';
import type { OptionsOf } from '../../options.ts';
import { table } from '../../output/text.ts';
import { loadModel } from '../../saved/files.ts';
import { keyOf, modelPathUnlessVariant, noteDefault } from '../model.ts';
import { benchOptions } from '../options/models.ts';
import type { Output } from '../output.ts';
import { newNetwork, oneNetwork, refuseIdle } from '../refuse.ts';
import { variantOptions } from '../variant.ts';

type BenchOptions = OptionsOf<typeof benchOptions>;

export async function run(options: BenchOptions, output: Output): Promise<number> {
  const { model: source = defaultModel } = options;
  const machine = await thisMachine();
  const folder = cacheFolder();
  const graph = await graphOf(options, output);
  const given = { batch: options.batch, runs: options.runs };
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  if (options.tune) return runTune(source, graph, { ...given, ...threads }, { machine, folder }, output);
  const tuning = folder === undefined ? undefined : readTuning(folder, machine);
  const tuned = tuning && { threads: tuning.threads };
  const result = await benchmark(graph, { ...tuned, ...given, ...threads }, tuning?.mergeGroups);
  output.document({ model: source, machine, tuned: tuning !== undefined, ...result });
  output.line(`${source} on ${describe(machine)}${tuning ? ', with tuned settings' : ''}\n`);
  output.line(table([['batch', 'threads', 'ms per run', 'fastest', 'images/s', 'GFLOP/s'], cells(result)]));
  return 0;
}

interface Place {
  readonly machine: Machine;
  readonly folder: string | undefined;
}

async function runTune(
  source: string,
  graph: Graph,
  options: { readonly batch: number; readonly runs: number },
  { machine, folder }: Place,
  output: Output,
): Promise<number> {
  if (folder === undefined) {
    throw new UsageError(
      '--tune saves its results in the cache, but RESNEXT_CACHE is "off". Unset it or name a folder.',
    );
  }
  const { tuning, trials } = await tune(graph, options);
  const file = await writeTuning(folder, machine, tuning);
  output.document({ model: source, machine, batch: options.batch, ...tuning, trials, file });
  output.line(`${source}, batch ${options.batch}, on ${describe(machine)}\n`);
  output.line(table([['choice', 'fastest ms'], ...trials.map((t) => [t.choice, t.milliseconds.toFixed(1)])]));
  output.line(`\nWrote ${file}. Models opened from now on use these settings.`);
  return 0;
}

/** The graph of any ONNX file, of a model, or of a variant with seeded weights. */
async function graphOf(options: BenchOptions, output: Output): Promise<Graph> {
  const { model: source = defaultModelFile() } = options;
  const path = await modelPathUnlessVariant(source, output);
  if (path !== undefined) {
    refuseIdle(benchOptions, options, ['size'], 'a saved model has its own');
    if (!isOnnxFile(path)) {
      const { graph, description } = await loadModel(path, keyOf(options));
      if (options.model === undefined) noteDefault(description, 'type the name of another to time that', output);
      return graph;
    }
    refuseIdle(benchOptions, options, ['key'], oneNetwork);
    return readOnnxFile(path);
  }
  refuseIdle(benchOptions, options, ['key'], newNetwork);
  const model = resnext(variantOptions(source, options));
  setWeights(model, initialWeights(model, 1));
  return model.graph;
}

const describe = ({ cpu, cores, runtime, block }: Machine): string =>
  `${cpu}, ${cores} cores, ONNX Runtime ${runtime}${block ? `, blocks of ${block} channels` : ''}`;

const cells = ({ batch, threads, milliseconds, fastest, imagesPerSecond, gflops }: Benchmark) => [
  batch,
  threads,
  milliseconds.toFixed(1),
  fastest.toFixed(1),
  imagesPerSecond.toFixed(1),
  gflops.toFixed(0),
];
