/**
 * Inference in turn: this package, plain ONNX Runtime on PyTorch's export, PyTorch in three ways, and onnxruntime-web's
 * WebAssembly. All have the same weights and the same images, float32, and must give the same logits.
 *
 *   npm run build && npx tsx bench/infer.ts [--net NAMES] [--batch NS] [--threads NS] [--rounds N] [--steps N]
 *                                           [--patience N] [--quick] [--json FILE]
 *
 * Without options: ResNeXt-50 with one image and with eight, two threads. The whole table is
 * `--net resnext50_32x4d,resnext101_32x8d,resnext29_8x64d --batch 1,8,32 --threads 1,2`. Ours is what `Classifier` runs, but
 * for what `resnext bench --tune` may have found on this machine. WebAssembly is installed by
 * `npm install --prefix bench/rivals`, and needs minutes for batches of large nets.
 */
import { ourContender, pythonContender, rivalContender } from './children.ts';
import { alternate, type Contender, type Result } from './harness.ts';
import { type Net, net, operationsOf } from './nets.ts';
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

/** Of the largest logit: what rounding may do in a hundred layers. */
const tolerance = 1e-5;

await main(async () => {
  const { values } = commandLine({
    net: { type: 'string', default: 'resnext50_32x4d' },
    batch: { type: 'string' },
    threads: { type: 'string' },
  });
  const { quick } = values;
  const rounds = count('rounds', values.rounds, quick ? 2 : 7);
  const patience = count('patience', values.patience, 0);
  const loads = counts('batch', values.batch, [1, 8]).flatMap((batch) =>
    counts('threads', values.threads, [2]).map((threads) => ({ batch, threads })),
  );
  const nets = await Promise.all(values.net.split(',').map(net));
  introduce();
  if (!measuredPeak()) console.log('No share of the peak: there is no bench/results/peak.json of this machine.');
  const folder = temporaryFolder();
  const cases: Case[] = [];
  for (const measured of nets) {
    const files = await writeWeights(measured, folder);
    for (const load of loads) {
      const steps = count('steps', values.steps, quick || load.batch > 8 ? 1 : load.batch > 1 ? 3 : 10);
      cases.push(await compare(measured, files, load, { rounds, steps, patience }));
    }
  }
  await writeResults(values.json, 'infer', { cases });
});

async function compare(
  measured: Net,
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

function contendersOf({ name, config }: Net, files: WeightFiles, { batch, threads }: Load): Contender[] {
  const settings = { task: 'infer', net: name, config, batch, threads };
  const plain = { file: files.onnx, dims: [batch, config.inputChannels, ...config.inputSize], threads };
  const torch = (title: string, layout: string) =>
    pythonContender(title, 'torch_net.py', { ...settings, weights: files.pt, layout });
  const pytorch = [
    torch('PyTorch', 'nchw'),
    torch('PyTorch channels_last', 'channels_last'),
    torch('TorchScript, optimized', 'script'),
  ];
  return [
    ourContender('resnext', 'net', { ...settings, weights: files.safetensors }),
    ourContender('ONNX Runtime', 'plain', plain),
    ...(files.pt === undefined ? [] : pytorch),
    rivalContender('ONNX Runtime, WebAssembly', 'wasm.ts', plain),
  ];
}

/** Whoever computes something else does not count. */
function checkLogits([ours, ...rivals]: readonly Result[]): void {
  const expected = ours!.facts.logits!;
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const differences = rivals.map(({ name, facts }) => {
    const most =
      expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - facts.logits![i]!)), 0) / largest;
    if (most <= tolerance) return most;
    throw new Error(
      `${name} gives other logits than ${ours!.name}: they differ by ${most.toPrecision(2)} of the largest.`,
    );
  });
  if (rivals.length === 0) return;
  const most = Math.max(...differences).toExponential(1);
  console.log(`  All ${rivals.length + 1} give the same logits; they differ by ${most} of the largest at most.`);
}
