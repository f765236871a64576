/**
 * What the server adds to the work itself: images per second of 32 clients on loopback, against decoding and the bare network
 * in batches of the same size, which is the most that can be had, and against a server that runs each request by itself. The
 * three take turns, each in processes of its own; the clients are a process, too, and take their share of the cores.
 *
 *   npm run build && npx tsx bench/serve.ts MODEL FOLDER [--clients N] [--batch N] [--threads N] [--seconds N] [--rounds N]
 *                                                        [--quick] [--json FILE]
 *
 * MODEL is as for `resnext serve`, FOLDER has images. Times are those of a request, from its first byte to its answer; the
 * delay is that of the server's event loop, 99 of 100 times at most.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { spread } from './harness.ts';
import { commandLine, count, introduce, main, printTable, writeResults } from './report.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface Settings {
  readonly model: string;
  readonly folder: string;
  readonly clients: number;
  readonly batch: number;
  readonly threads: number;
  readonly seconds: number;
}

/** What one turn measures. Milliseconds; those of the bare network have no clients. */
interface Turn {
  /** Images per second. */
  readonly rate: number;
  readonly p50?: number;
  readonly p99?: number;
  /** CPU time per image. */
  readonly cpu: number;
  /** Of the event loop. */
  readonly delay?: number;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A child process, and the first line that it prints. */
async function started(file: string, args: readonly string[]): Promise<{ child: ChildProcess; line: string }> {
  const loader = file.endsWith('.ts') ? ['--import', 'tsx'] : [];
  const child = spawn(process.execPath, [...loader, file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  child.on('exit', () => running.delete(child));
  for await (const line of createInterface({ input: child.stdout })) return { child, line };
  throw new Error(`${file} printed nothing.`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve).kill('SIGTERM'));
}

async function bare({ model, folder, batch, threads, seconds }: Settings): Promise<Turn> {
  const { child, line } = await started(here('serve/bare.ts'), [model, folder, `${batch}`, `${threads}`, `${seconds}`]);
  await ended(child);
  return JSON.parse(line) as Turn;
}

async function asked(url: string, { folder, clients, seconds }: Settings): Promise<Turn> {
  const { child, line } = await started(here('serve/clients.ts'), [url, folder, `${clients}`, `${seconds}`]);
  await ended(child);
  return JSON.parse(line) as Turn;
}

async function server(settings: Settings): Promise<Turn> {
  const { model, batch, threads } = settings;
  const options = ['--port', '0', '--max-batch', `${batch}`, '--threads', `${threads}`];
  const { child, line } = await started(here('../dist/cli/main.js'), [
    'serve',
    '--model',
    `model=${model}`,
    ...options,
  ]);
  child.stdout?.resume();
  const turn = await asked((JSON.parse(line) as { url: string }).url, settings);
  await ended(child);
  return turn;
}

async function naive(settings: Settings): Promise<Turn> {
  const { child, line } = await started(here('serve/naive.ts'), [settings.model, `${settings.threads}`]);
  const turn = await asked(line, settings);
  await ended(child);
  return turn;
}

const contenders = { 'decoding and network': bare, server, 'one request, one run': naive } as const;

await main(async () => {
  const { values, positionals } = commandLine({
    clients: { type: 'string' },
    batch: { type: 'string' },
    threads: { type: 'string' },
    seconds: { type: 'string' },
  });
  const [model, folder] = positionals;
  if (model === undefined || folder === undefined) {
    throw new Error('A model and a folder of images are needed: npx tsx bench/serve.ts MODEL FOLDER.');
  }
  const settings: Settings = {
    model,
    folder,
    clients: count('clients', values.clients, 32),
    batch: count('batch', values.batch, 8),
    threads: count('threads', values.threads, availableParallelism()),
    seconds: count('seconds', values.seconds, values.quick ? 3 : 10),
  };
  const rounds = count('rounds', values.rounds, values.quick ? 1 : 5);
  introduce();
  const turns = new Map<string, Turn[]>(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, measure] of Object.entries(contenders)) turns.get(name)!.push(await measure(settings));
  }
  const bareRates = turns.get('decoding and network')!.map(({ rate }) => rate);
  const median = (values: readonly (number | undefined)[]): string =>
    values[0] === undefined ? '–' : spread(values as number[]).median.toFixed(1);
  const rows = [...turns].map(([name, of]) => [
    name,
    median(of.map(({ rate }) => rate)),
    median(of.map(({ rate }, round) => (100 * rate) / bareRates[round]!)),
    ...(['p50', 'p99', 'cpu', 'delay'] as const).map((key) => median(of.map((turn) => turn[key]))),
  ]);
  printTable([['', 'images/s', '% of the first', 'p50 ms', 'p99 ms', 'CPU ms/image', 'event loop p99 ms'], ...rows]);
  const { model: _, folder: __, ...shown } = settings;
  await writeResults(values.json, 'serve', { settings: shown, turns: Object.fromEntries(turns) });
});
