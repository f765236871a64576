/**
 * Inference against its rivals: plain ONNX Runtime on PyTorch's export, PyTorch eager (NCHW and channels_last), TorchScript
 * frozen and optimised, and onnxruntime-web's WebAssembly. One picture's size per net, random weights, float32.
 *
 *   npm run build && npx tsx bench/infer.ts [net…] [--batch 1,8,32] [--threads 1,2] [--rounds 7] [--json file]
 *
 * All take turns: in each round everybody runs once or more, after a pause for threads that still spin. A line gives the
 * median over the rounds, the fastest run, and our time by theirs: the median of the rounds' ratios, and their range.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import {
  initialWeights,
  lowerInference,
  resnext,
  Session,
  setWeights,
  type Tensor,
  tensor,
  thisMachine,
  variant,
} from 'resnext';
import { startTorch, type Torch } from './rivals/torch.ts';

interface Case {
  readonly net: string;
  readonly batch: number;
  readonly threads: number;
}

/** A contestant opened for one case. */
interface Runner {
  readonly name: string;
  /** Milliseconds of each of `runs` runs, after one that does not count. */
  run(runs: number): Promise<number[]>;
  close(): Promise<unknown>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    batch: { type: 'string', default: '1,8,32' },
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '7' },
    json: { type: 'string' },
  },
});
const nets = positionals.length > 0 ? positionals : ['resnext50_32x4d', 'resnext101_32x8d', 'resnext29_8x64d'];
const numbers = (text: string) => text.split(',').map(Number);

ort.env.logLevel = 'fatal';
const folder = mkdtempSync(join(tmpdir(), 'resnext-infer-'));
const torch = await startTorch();
if (!torch) console.log('skipped: PyTorch in its three ways and its export, as /usr/bin/python3 has no torch');
const web = await import('onnxruntime-web' as string).catch(() => undefined);
if (!web) console.log('skipped: WebAssembly, as onnxruntime-web is not installed');
const machine = await thisMachine();
console.log(
  `${cpus()[0]!.model}, ${machine.cores} cores, ONNX Runtime ${machine.runtime}, PyTorch ${torch?.version ?? '-'}`,
);

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!;

function input({ net, batch }: Case): Tensor<'float32'> {
  const [height, width] = resnext(variant(net)).config.inputSize;
  const data = Float32Array.from({ length: batch * 3 * height * width }, (_, i) => Math.sin(i * 12.9898));
  return tensor('float32', [batch, 3, height, width], data);
}

async function timed(runs: number, action: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i <= runs; i++) {
    const began = performance.now();
    await action();
    times.push(performance.now() - began);
  }
  return times.slice(1);
}

async function ours(it: Case): Promise<Runner> {
  const model = resnext(variant(it.net));
  setWeights(model, initialWeights(model, 1));
  const session = await Session.open(lowerInference(model.graph, machine).graph, { threads: it.threads });
  const feeds = new Map([['input', input(it)]]);
  return { name: 'resnext', run: (runs) => timed(runs, () => session.run(feeds)), close: () => session.dispose() };
}

/** ONNX Runtime with its own defaults, on the file as PyTorch wrote it. */
async function plain(it: Case, file: string): Promise<Runner> {
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: it.threads });
  const { data, dims } = input(it);
  const feeds = { input: new ort.Tensor('float32', data, dims) };
  return { name: 'ONNX Runtime', run: (runs) => timed(runs, () => session.run(feeds)), close: () => session.release() };
}

async function wasm(it: Case, file: string): Promise<Runner> {
  web.env.wasm.numThreads = it.threads;
  const session = await web.InferenceSession.create(file, { executionProviders: ['wasm'] });
  const { data, dims } = input(it);
  const feeds = { input: new web.Tensor('float32', data, dims) };
  return { name: 'WebAssembly', run: (runs) => timed(runs, () => session.run(feeds)), close: () => session.release() };
}

async function pytorch(it: Case, kind: string, rival: Torch): Promise<Runner> {
  await rival.ask({ do: 'open', id: kind, kind, ...it });
  return {
    name: { eager: 'PyTorch', channels_last: 'PyTorch channels_last', script: 'TorchScript optimised' }[kind]!,
    run: async (runs) => (await rival.ask({ do: 'run', id: kind, runs })).ms as number[],
    close: () => rival.ask({ do: 'close', id: kind }),
  };
}

async function contestants(it: Case): Promise<Runner[]> {
  const runners = [await ours(it)];
  if (!torch) return runners;
  const file = join(folder, `${it.net}.onnx`);
  if (!exported.has(it.net)) await torch.ask({ do: 'export', net: it.net, path: file });
  exported.add(it.net);
  runners.push(await plain(it, file));
  if (web) runners.push(await wasm(it, file));
  for (const kind of ['script', 'eager', 'channels_last']) runners.push(await pytorch(it, kind, torch));
  return runners;
}
const exported = new Set<string>();

/** For each contestant its rounds' medians, and its fastest run. */
async function race(runners: readonly Runner[], batch: number): Promise<{ rounds: number[]; fastest: number }[]> {
  const results = runners.map(() => ({ rounds: [] as number[], fastest: Number.POSITIVE_INFINITY }));
  const runs = batch === 1 ? 10 : batch <= 8 ? 3 : 1;
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [i, runner] of runners.entries()) {
      await pause(50);
      const times = await runner.run(runs);
      results[i]!.rounds.push(median(times));
      results[i]!.fastest = Math.min(results[i]!.fastest, ...times);
    }
  }
  return results;
}

const lines: object[] = [];
for (const net of nets) {
  for (const batch of numbers(values.batch)) {
    for (const threads of numbers(values.threads)) {
      const runners = await contestants({ net, batch, threads });
      const results = await race(runners, batch);
      console.log(`\n${net}, batch ${batch}, ${threads} threads`);
      for (const [i, { rounds, fastest }] of results.entries()) {
        const ratios = rounds.map((time, round) => results[0]!.rounds[round]! / time);
        const ratio = { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
        lines.push({ net, batch, threads, name: runners[i]!.name, milliseconds: median(rounds), fastest, ratio });
        const [of, low, high] = [ratio.median, ratio.least, ratio.most].map((value) => value.toFixed(2));
        const times = `${median(rounds).toFixed(1).padStart(9)} ms  fastest ${fastest.toFixed(1).padStart(8)}`;
        console.log(`  ${runners[i]!.name.padEnd(22)}${times}${i === 0 ? '' : `   ratio ${of} (${low} to ${high})`}`);
      }
      for (const runner of runners) await runner.close();
    }
  }
}
torch?.close();
rmSync(folder, { recursive: true });
if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine, torch: torch?.version, lines }, null, 2)}\n`);
