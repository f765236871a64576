/**
 * Bulk work in images per second, from the start of the processes to their end: one process, and with --queue also several
 * workers of a queue, which share the cores.
 *
 *   npm run build && npx tsx bench/bulk.ts MODEL FOLDER [--images N] [--queue redis://…] [--workers N] [--rounds N] [--quick]
 *                                                       [--json FILE]
 *
 * MODEL is as for `resnext bulk`. The images of FOLDER and its folders are packed in tar files of 1,000, in turn until there are
 * as many as --images says (20,000).
 */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { spread } from './harness.ts';
import { commandLine, count, introduce, main, printTable, writeResults } from './report.ts';

const run = promisify(execFile);
const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const resnext = (...args: readonly string[]) => run(process.execPath, [command, 'bulk', ...args]);

const imagesPerShard = 1000;

/** Packs a number of images in tar files. */
async function pack(files: readonly string[], images: number, shards: string): Promise<void> {
  for (let first = 0; first < images; first += imagesPerShard) {
    const folder = join(shards, `${String(first / imagesPerShard).padStart(5, '0')}`);
    mkdirSync(folder, { recursive: true });
    for (let n = first; n < Math.min(first + imagesPerShard, images); n++) {
      const file = files[n % files.length]!;
      copyFileSync(file, join(folder, `${n}${extname(file)}`));
    }
    await run('tar', ['cf', `${folder}.tar`, '-C', folder, '.']);
    rmSync(folder, { recursive: true });
  }
}

const imagesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(jpe?g|png|webp)$/i.test(name))
    .sort()
    .map((name) => join(folder, name));

await main(async () => {
  const { values, positionals } = commandLine({
    images: { type: 'string' },
    queue: { type: 'string' },
    workers: { type: 'string' },
  });
  const [model, folder] = positionals;
  if (model === undefined || folder === undefined) {
    throw new Error('A model and a folder of images are needed: npx tsx bench/bulk.ts MODEL FOLDER.');
  }
  const images = count('images', values.images, values.quick ? 2000 : 20_000);
  const workers = count('workers', values.workers, 3);
  const rounds = count('rounds', values.rounds, values.quick ? 1 : 5);
  const { queue } = values;
  const work = mkdtempSync(join(tmpdir(), 'resnext-bulk-'));
  const turns: Record<string, number[]> = { 'one process': [] };
  if (queue !== undefined) turns[`${workers} workers of a queue`] = [];
  const measure = async (name: string, action: (out: string) => Promise<unknown>) => {
    const out = join(work, `${name} ${turns[name]!.length}`);
    const start = performance.now();
    await action(out);
    turns[name]!.push(images / ((performance.now() - start) / 1000));
  };
  introduce();
  try {
    const shards = join(work, 'shards');
    await pack(imagesIn(folder), images, shards);
    const task = (out: string) => [shards, '--task', 'classify', '--model', model, '--out', out];
    for (let round = 0; round < rounds; round++) {
      await measure('one process', (out) => resnext('run', ...task(out)));
      if (queue === undefined) continue;
      const named = ['--queue', queue, '--queue-name', `bench-${process.pid}-${round}`];
      await measure(`${workers} workers of a queue`, async (out) => {
        await resnext('submit', ...task(out), ...named);
        await Promise.all(Array.from({ length: workers }, () => resnext('work', ...named, '--until-done')));
      });
    }
  } finally {
    rmSync(work, { recursive: true });
  }
  const rows = Object.entries(turns).map(([name, rates]) => [name, spread(rates).median.toFixed(1)]);
  printTable([['', 'images/s'], ...rows]);
  await writeResults(values.json, 'bulk', { images, turns });
});
