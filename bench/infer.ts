/**
 * Inference with this package, plain ONNX Runtime on PyTorch's export, three kinds of PyTorch, and onnxruntime-web's
 * WebAssembly, in turn. All have the same float32 weights and images, and must give the same logits.
 *
 *   npm run build && npx tsx bench/infer.ts [--network NAMES] [--batch NS] [--threads NS] [--rounds N] [--steps N]
 *                                           [--patience N] [--quick] [--json FILE]
 *
 * Without options: ResNeXt-50 with one image and with eight, two threads. For the complete table, use
 * `--network resnext50_32x4d,resnext101_32x8d,resnext29_8x64d --batch 1,8,32 --threads 1,2`. This package runs what
 * `Classifier` does, without results of `resnext bench --tune`. WebAssembly is installed with
 * `npm install --prefix bench/rivals`, and takes minutes for batches of large networks.
 */
import { ourContender, pythonContender, rivalContender } from './children.ts';
import { alternate, type Contender, type Result } from './harness.ts';
import { type Network, network, operationsOf } from './networks.ts';
import {
  type Case,
  commandLine,
  count,
  counts,
  introduce,
  main,
  measuredPeak,
  printCase,
  toCase,
  writeResults,
} from './report.ts';
import { temporaryFolder, type WeightFiles, writeWeights } from './weights.ts';

interface Load {
  readonly batch: number;
  readonly threads: number;
}

/** Tolerance for rounding in a hundred layers, relative to the largest logit. */
const tolerance = 1e-5;

await main(async () => {
  const { values } = commandLine({
    network: { type: 'string', default: 'resnext50_32x4d' },
    batch: { type: 'string' },
    threads: { type: 'string' },
  });
  const { quick } = values;
  const rounds = count('rounds', values.rounds, quick ? 2 : 7);
  const patience = count('patience', values.patience, 0);
  const loads = counts('batch', values.batch, [1, 8]).flatMap((batch) =>
    counts('threads', values.threads, [2]).map((threads) => ({ batch, threads })),
  );
  const networks = await Promise.all(values.network.split(',').map(network));
  introduce();
  if (!measuredPeak())
    console.log('The fraction of the peak is not shown: there is no bench/results/peak.json for this machine.');
  const folder = temporaryFolder();
  const cases: Case[] = [];
  for (const measured of networks) {
    const files = await writeWeights(measured, folder);
    for (const load of loads) {
      const steps = count('steps', values.steps, quick || load.batch > 8 ? 1 : load.batch > 1 ? 3 : 10);
      cases.push(await compare(measured, files, load, { rounds, steps, patience }));
    }
  }
  await writeResults(values.json, 'infer', { cases });
});

async function compare(
  measured: Network,
  files: WeightFiles,
  load: Load,
  options: { rounds: number; steps: number; patience: number },
): Promise<Case> {
  const { name, config } = measured;
  const results = await alternate(contendersOf(measured, files, load), { ...options, settle: 1 });
  const { rounds, steps } = options;
  const settings = { size: config.inputSize.join('x'), ...load, rounds, steps };
  const made = toCase(`inference of ${name}`, settings, results, operationsOf(measured, load.batch, 'infer'));
  printCase(made);
  checkLogits(results);
  return made;
}

function contendersOf({ name, config }: Network, files: WeightFiles, { batch, threads }: Load): Contender[] {
  const settings = { task: 'infer', network: name, config, batch, threads };
  const plain = { file: files.onnx, dims: [batch, config.inputChannels, ...config.inputSize], threads };
  const torch = (title: string, layout: string) =>
    pythonContender(title, 'torch_network.py', { ...settings, weights: files.pt, layout });
  const pytorch = [
    torch('PyTorch', 'nchw'),
    torch('PyTorch channels_last', 'channels_last'),
    torch('TorchScript, optimized', 'script'),
  ];
  return [
    ourContender('resnext', 'network', { ...settings, weights: files.safetensors }),
    ourContender('ONNX Runtime', 'plain', plain),
    ...(files.pt === undefined ? [] : pytorch),
    rivalContender('ONNX Runtime, WebAssembly', 'wasm.ts', plain),
  ];
}

/** Throws if a contender computes something else. */
function checkLogits([ours, ...rivals]: readonly Result[]): void {
  const expected = ours!.facts.logits!;
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const differences = rivals.map(({ name, facts }) => {
    const most =
      expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - facts.logits![i]!)), 0) / largest;
    if (most <= tolerance) return most;
    throw new Error(`The logits of ${name} and ${ours!.name} differ by ${most.toPrecision(2)} of the largest.`);
  });
  if (rivals.length === 0) return;
  const most = Math.max(...differences).toExponential(1);
  console.log(`  All ${rivals.length + 1} give the same logits, within ${most} of the largest.`);
}
