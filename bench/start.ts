/**
 * From the start of a process to its first prediction on the screen, with a ResNeXt-50 of 100 MB on disk: by the command
 * line and by a script of four lines, the first time, with an empty cache, and the second. Rivals: a script that opens
 * PyTorch's export with plain ONNX Runtime and decodes nothing, and PyTorch itself.
 *
 *   npm run build && npx tsx bench/start.ts [net] [--rounds 7] [--json file]
 *
 * All take turns, each in processes of their own; files are in the system's memory. A line gives median, least and most.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { initialWeights, preprocessingFor, resnext, saveModel, thisMachine, variant } from 'resnext';
import { startTorch } from './rivals/torch.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '7' }, json: { type: 'string' } },
});
const name = positionals[0] ?? 'resnext50_32x4d';
const root = fileURLToPath(new URL('..', import.meta.url));
const picture = join(root, 'examples/pictures/unseen/airplane-1.jpg');
const folder = mkdtempSync(join(tmpdir(), 'resnext-start-'));
const [model, cache, exported, weights] = ['run', 'cache', 'export.onnx', 'weights.pt'].map((name) =>
  join(folder, name),
);
const env = { ...process.env, RESNEXT_CACHE: cache };

const { config, ...net } = resnext(variant(name));
await saveModel(
  model!,
  {
    variant: name,
    config,
    classes: Array.from({ length: config.classes }, (_, k) => `class ${k}`),
    preprocessing: preprocessingFor({ stem: config.stem, size: config.inputSize[0] }),
    metrics: {},
  },
  initialWeights({ config, ...net }, 1),
);
const torchScript = fileURLToPath(new URL('rivals/torch_start.py', import.meta.url));
const torch = await startTorch();
await torch?.ask({ do: 'export', net: name, path: exported });
torch?.close();
if (torch) spawnSync('/usr/bin/python3', [torchScript, name, weights!, '--make'], { stdio: 'ignore' });
else console.log('skipped: PyTorch and its export, as /usr/bin/python3 has no torch');

/** Milliseconds from here to the child's first line that is not the picture's name. */
function start(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(command, args, { env, cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
    let printed = '';
    let first: number | undefined;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (/\d/.test(printed.replaceAll(picture, ''))) first ??= performance.now() - began;
    });
    child.on('error', reject);
    child.on('close', () => (first === undefined ? reject(new Error(`${command} printed nothing`)) : resolve(first)));
  });
}

const script = `
  import { Classifier } from 'resnext';
  const classifier = await Classifier.open(${JSON.stringify(model)});
  const [best] = await classifier.classify(${JSON.stringify(picture)});
  console.log(best.label, best.probability);`;
const plain = `
  import * as ort from 'onnxruntime-node';
  ort.env.logLevel = 'fatal';
  const session = await ort.InferenceSession.create(${JSON.stringify(exported)});
  const input = new ort.Tensor('float32', new Float32Array(3 * 224 * 224), [1, 3, 224, 224]);
  console.log((await session.run({ input })).logits.data[0]);`;
const inNode = (text: string) => () => start(process.execPath, ['--input-type=module', '-e', text]);
const byCommand = () =>
  start(process.execPath, [join(root, 'dist/cli/main.js'), 'classify', picture, '--model', model!, '--top', '1']);
const emptied = (action: () => Promise<number>) => () => {
  rmSync(cache!, { recursive: true, force: true });
  return action();
};

const contestants: readonly (readonly [title: string, run: () => Promise<number>])[] = [
  ['resnext classify, first', emptied(byCommand)],
  ['resnext classify, second', byCommand],
  ['script, first', emptied(inNode(script))],
  ['script, second', inNode(script)],
  ...(torch
    ? ([
        ['ONNX Runtime, no picture', inNode(plain)],
        ['PyTorch', () => start('/usr/bin/python3', [torchScript, name, weights!, picture])],
      ] as const)
    : []),
];
const times = contestants.map((): number[] => []);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [i, [, run]] of contestants.entries()) times[i]!.push(await run());
}

const machine = await thisMachine();
const megabytes = statSync(join(model!, 'model.safetensors')).size / 1e6;
console.log(
  `${name}, ${megabytes.toFixed(0)} MB, ${machine.cpu}, ${machine.cores} cores, seconds to the first prediction`,
);
const lines = contestants.map(([title], i) => {
  const sorted = times[i]!.map((ms) => ms / 1000).sort((a, b) => a - b);
  const [median, least, most] = [sorted[sorted.length >> 1]!, sorted[0]!, sorted.at(-1)!];
  console.log(`  ${title.padEnd(28)}${median.toFixed(2)}   (${least.toFixed(2)} to ${most.toFixed(2)})`);
  return { title, median, least, most };
});
rmSync(folder, { recursive: true });
if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine, lines }, null, 2)}\n`);
