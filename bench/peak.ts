/**
 * The peak float32 performance of this machine: the fastest matrix product of ONNX Runtime or PyTorch's oneDNN, and the
 * memory bandwidth. Other benchmarks report the fraction of that peak that a network reaches.
 *
 *   npm run build && npx tsx bench/peak.ts [--threads NS] [--rounds N] [--patience N] [--quick] --json bench/results/peak.json
 *   npx tsx bench/peak.ts --share bench/results/train.json     fraction of the peak for the results in a file
 */
import { readFileSync } from 'node:fs';
import { ourContender, pythonContender } from './children.ts';
import { alternate, type Contender, spread } from './harness.ts';
import {
  type Case,
  commandLine,
  count,
  counts,
  introduce,
  main,
  measuredPeak,
  printTable,
  sayDisturbed,
  shareOfPeak,
  writeResults,
} from './report.ts';

interface Work {
  readonly kind: string;
  readonly depth: number;
  readonly dims: readonly number[];
}

interface Measured {
  readonly name: string;
  readonly threads: number;
  /** GFLOP/s, or GB/s. */
  readonly best: number;
  readonly median: number;
}

const depth = 8;
const shapes = [
  [8, 256, 56, 56],
  [8, 512, 28, 28],
  [8, 1024, 14, 14],
];

const ort = (name: string, work: Work) => ({ name: `ONNX Runtime ${name}`, work, make: ortContender });
const torch = (name: string, work: Work) => ({ name: `PyTorch ${name}`, work, make: torchContender });

const products = [
  ...shapes.map((dims) => ort(`1x1 convolution, blocked ${dims}`, { kind: 'conv', depth, dims })),
  ort(`1x1 convolution, NCHW ${shapes[1]}`, { kind: 'conv-nchw', depth, dims: shapes[1]! }),
  ort('matrix product 1568 x 1024 x 1024', { kind: 'matmul', depth, dims: [1568, 1024] }),
  ort('matrix product 2048 x 2048 x 2048', { kind: 'matmul', depth: 2, dims: [2048, 2048] }),
  ...shapes.map((dims) => torch(`1x1 convolution, blocked ${dims}`, { kind: 'conv-blocked', depth, dims })),
  torch(`1x1 convolution, NCHW ${shapes[1]}`, { kind: 'conv-nchw', depth, dims: shapes[1]! }),
  torch(`1x1 convolution, channels_last ${shapes[1]}`, { kind: 'conv-channels_last', depth, dims: shapes[1]! }),
];

const large = [1000, 25600]; // 102.4 MB
const passes = [
  ort('Neg, read and written', { kind: 'pass', depth: 10, dims: large }),
  ort('ReduceSum, read', { kind: 'read', depth: 10, dims: large }),
  torch('copy, read and written', { kind: 'copy', depth: 10, dims: large }),
  torch('sum, read', { kind: 'read', depth: 10, dims: large }),
];

await main(async () => {
  const { values } = commandLine({ threads: { type: 'string' }, share: { type: 'string' } });
  if (values.share !== undefined) return printShares(values.share);
  const rounds = count('rounds', values.rounds, values.quick ? 2 : 10);
  const patience = count('patience', values.patience, 0);
  introduce();
  const compute: Measured[] = [];
  const memory: Measured[] = [];
  for (const threads of counts('threads', values.threads, [1, 2])) {
    compute.push(...(await measure(products, threads, { rounds, patience }, operations, 'GFLOP/s')));
    memory.push(...(await measure(passes, threads, { rounds, patience }, bytes, 'GB/s')));
  }
  const peak: Record<number, number> = {};
  for (const { threads, best } of compute) peak[threads] = Math.max(best, peak[threads] ?? 0);
  for (const [threads, best] of Object.entries(peak))
    console.log(`\npeak with ${threads} threads: ${best.toFixed(0)} GFLOP/s`);
  await writeResults(values.json, 'peak', { peak, compute, memory });
});

type Candidate = (typeof products)[number];

function ortContender(name: string, settings: Work & { threads: number }): Contender {
  return ourContender(name, 'peak', { ...settings });
}

function torchContender(name: string, settings: Work & { threads: number }): Contender {
  return pythonContender(name, 'torch_peak.py', { ...settings });
}

/** Measures every candidate in turn and prints a table of their rates. */
async function measure(
  candidates: readonly Candidate[],
  threads: number,
  options: { rounds: number; patience: number },
  amount: (work: Work) => number,
  unit: string,
): Promise<Measured[]> {
  const contenders = candidates.map(({ name, work, make }) => make(name, { ...work, threads }));
  const results = await alternate(contenders, { ...options, steps: 1, settle: 1 });
  const measured = results.map(({ name, milliseconds }) => {
    const work = candidates.find((candidate) => candidate.name === name)!.work;
    const { median, min } = spread(milliseconds);
    return { name, threads, best: amount(work) / min / 1e6, median: amount(work) / median / 1e6 };
  });
  console.log(`\n${unit}, threads ${threads}, rounds ${options.rounds}`);
  printTable([
    ['', 'best', 'median'],
    ...measured.map(({ name, best, median }) => [name, best.toFixed(1), median.toFixed(1)]),
  ]);
  sayDisturbed(results.flatMap(({ disturbance }) => disturbance));
  return measured;
}

/** Floating-point operations per run. */
function operations({ dims, depth }: Work): number {
  const elements = dims.reduce((a, b) => a * b, 1);
  return 2 * depth * elements * dims[1]!;
}

/** Bytes moved per run: each pass reads the tensor, and a copy also writes it. */
function bytes({ kind, dims, depth }: Work): number {
  const tensor = 4 * dims.reduce((a, b) => a * b, 1);
  return depth * tensor * (kind === 'read' ? 1 : 2);
}

function printShares(file: string): void {
  if (!measuredPeak()) {
    throw new Error(
      'There is no bench/results/peak.json for this machine. Run bench/peak.ts --json bench/results/peak.json.',
    );
  }
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: readonly Case[] };
  const rows = cases.flatMap(({ name, settings, operations, contenders }) =>
    contenders.map((row) => {
      const { median } = row.milliseconds;
      const share = operations && shareOfPeak(operations, median, Number(settings.threads));
      const rate = operations && operations / (median * 1e6);
      const what = `${name}, batch ${settings.batch}, threads ${settings.threads}`;
      return [what, row.name, rate ? rate.toFixed(1) : '', share ? `${(100 * share).toFixed(1)} %` : ''];
    }),
  );
  printTable([['', 'contender', 'GFLOP/s', 'of the peak'], ...rows]);
}
