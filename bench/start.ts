/**
 * Time from the start of a process to its first printed prediction, with a model and an image from disk: a script with
 * this package and `resnext classify`, each with an empty cache and with a full one, and equivalent scripts with plain
 * ONNX Runtime (and sharp) and with PyTorch.
 *
 *   npm run build && npx tsx bench/start.ts [--network NAME] [--image FILE] [--exit] [--rounds N] [--patience N] [--quick]
 *                                           [--json FILE]
 *
 * Without --network: ResNeXt-50, 100 MB of weights. --exit: until the process has ended. Every run is a new process, with
 * its default number of threads; all files are already in the system's page cache.
 */
import { spawn } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiled, processorTime, python, root } from './children.ts';
import { alternate, type Contender } from './harness.ts';
import { type Network, network } from './networks.ts';
import { commandLine, count, introduce, main, printCase, toCase, writeResults } from './report.ts';
import { temporaryFolder, type WeightFiles, writeWeights } from './weights.ts';

/** A program that prints "class N" and exits. */
interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** This package's cache folder. */
  readonly cache?: string;
  /** Whether to empty the cache before each run. */
  readonly isFirst?: boolean;
}

await main(async () => {
  const { values } = commandLine({
    network: { type: 'string', default: 'resnext50_32x4d' },
    image: { type: 'string', default: join(root, 'examples/images/unseen/airplane-1.jpg') },
    exit: { type: 'boolean', default: false },
  });
  const rounds = count('rounds', values.rounds, values.quick ? 2 : 7);
  const steps = count('steps', values.steps, 1);
  const patience = count('patience', values.patience, 0);
  const started = await network(values.network);
  if (started.config.inputSize.join() !== '224,224')
    throw new Error(
      `--network ${values.network} takes images of ${started.config.inputSize.join(' x ')}, but expected 224 x 224.`,
    );
  introduce();
  const folder = temporaryFolder();
  const files = await writeWeights(started, folder);
  const model = await saveRun(started, files, join(folder, 'run'));
  const programs = await programsOf(started.name, files, { model, folder, image: resolve(values.image) });
  const until = values.exit ? 'exit' : 'prediction';
  const contenders = programs.map((program) => contender(program, until));
  const results = await alternate(contenders, { rounds, steps, warmup: 1, patience });
  const size = `${(statSync(join(model, 'model.safetensors')).size / 1e6).toFixed(0)} MB`;
  const title = `from start to ${until === 'exit' ? 'end' : 'first prediction'} with ${started.name}`;
  const made = toCase(title, { size, rounds, steps }, results);
  printCase(made);
  await writeResults(values.json, 'start', { cases: [made] });
});

/** A run folder like those of `resnext train`. */
async function saveRun({ name, config }: Network, { safetensors }: WeightFiles, folder: string): Promise<string> {
  const { preprocessingFor } = await import('resnext/data');
  const { readSafetensorsFile } = await import('resnext/weights');
  const { saveModel, stems } = await import('resnext');
  const classes = Array.from({ length: config.classes }, (_, k) => `class ${k}`);
  const preprocessing = preprocessingFor({ images: stems[config.stem].images, size: config.inputSize[0] });
  const description = { variant: name, config, classes, preprocessing, metrics: {} };
  await saveModel(folder, description, (await readSafetensorsFile(safetensors)).tensors);
  return folder;
}

async function programsOf(
  name: string,
  { onnx, pt }: WeightFiles,
  { model, folder, image }: { model: string; folder: string; image: string },
): Promise<Program[]> {
  const [empty, full] = [join(folder, 'empty'), join(folder, 'full')];
  const node = process.execPath;
  const script = [await compiled('start'), model, image];
  const classify = [join(root, 'dist/cli/main.js'), 'classify', image, '--model', model, '--top', '1'];
  const torch = fileURLToPath(new URL('rivals/torch_start.py', import.meta.url));
  return [
    { name: 'resnext, second start', command: node, args: script, cache: full },
    { name: 'resnext, first start', command: node, args: script, cache: empty, isFirst: true },
    { name: 'resnext classify, second start', command: node, args: classify, cache: full },
    { name: 'resnext classify, first start', command: node, args: classify, cache: empty, isFirst: true },
    { name: 'ONNX Runtime', command: node, args: [await compiled('start-plain'), onnx, image] },
    ...(pt === undefined ? [] : [{ name: 'PyTorch', command: python, args: [torch, name, pt, image] }]),
  ];
}

function contender(program: Program, until: 'prediction' | 'exit'): Contender {
  const run = () => {
    if (program.isFirst) rmSync(program.cache!, { recursive: true, force: true });
    return time(program, until);
  };
  const nothing = async () => {};
  const used = () => processorTime(process.pid);
  return { name: program.name, start: async () => ({ facts: {}, run, used, peak: () => undefined, stop: nothing }) };
}

/** Milliseconds until it has printed a class, or until it has exited. Always waits for its exit. */
function time({ name, command, args, cache }: Program, until: 'prediction' | 'exit'): Promise<number> {
  const env = { ...process.env, ...(cache !== undefined && { RESNEXT_CACHE: cache }) };
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(command, args, { env, cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let [printed, errors] = ['', ''];
    let named: number | undefined;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (/class \d/.test(printed)) named ??= performance.now() - began;
    });
    child.on('error', reject);
    child.on('close', () => {
      if (named === undefined) reject(new Error(`${name} did not print a class: ${errors.trim().split('\n').at(-1)}`));
      else resolve(until === 'exit' ? performance.now() - began : named);
    });
  });
}
