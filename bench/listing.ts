/**
 * How long a large folder of images takes to list, and the peak memory of the process: `openFolder` with its split, then
 * what else a run needs of the list: the order of an epoch, `split.json`, the digest, and the cache's list.
 *
 *   npm run build && npx tsx bench/listing.ts [--classes N] [--images N] [--folder DIR]
 *
 * The images are links to one file, in a temporary folder, or in DIR, which is kept for the next time.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandLine, count, main } from './report.ts';

/** Runs in a process of its own, on the built package. */
const child = `
  const { openFolder } = await import('./dist/data/folder.js');
  const { permutation } = await import('./dist/data/random.js');
  const { ImageCaches } = await import('./dist/data/cache.js');
  const { splitOf, trainingDigest, writeSplit } = await import('./dist/train/split.js');
  const { writeFileAtomically } = await import('./dist/files.js');
  const peak = () => Math.round(process.resourceUsage().maxRSS / 1024);
  const began = performance.now();
  const say = (what) =>
    console.log(what.padEnd(12), ((performance.now() - began) / 1000).toFixed(1).padStart(6), 's', String(peak()).padStart(6), 'MiB');
  say('start');
  const [, folder, file] = process.argv;
  const found = await openFolder(folder, { seed: 1 });
  say('openFolder');
  const order = permutation(found.train.length, 1, 0);
  say('order');
  const split = splitOf(found);
  const digest = trainingDigest(split);
  say('digest');
  await writeFileAtomically(file, writeSplit(split));
  say('split.json');
  new ImageCaches(2 ** 30).of(found.train, [], false);
  say('cache');
  console.log(found.train.length, found.validation.length, order.length, digest.slice(0, 8));
`;

await main(async () => {
  const { values } = commandLine({
    classes: { type: 'string' },
    images: { type: 'string' },
    folder: { type: 'string' },
  });
  const [classes, images] = [count('classes', values.classes, 1000), count('images', values.images, 1300)];
  const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'resnext-listing-'));
  try {
    make(join(folder, 'images'), classes, images);
    const run = ['--input-type=module', '-e', child, join(folder, 'images'), join(folder, 'split.json')];
    process.stdout.write(execFileSync(process.execPath, run, { encoding: 'utf8' }));
  } finally {
    if (values.folder === undefined) rmSync(folder, { recursive: true });
  }
});

function make(folder: string, classes: number, images: number): void {
  if (existsSync(folder)) return;
  const target = join(folder, '..', 'image.jpg');
  mkdirSync(folder, { recursive: true });
  writeFileSync(target, '');
  for (let c = 0; c < classes; c++) {
    const own = join(folder, `n${String(c).padStart(8, '0')}`);
    mkdirSync(own);
    for (let i = 0; i < images; i++) symlinkSync(target, join(own, `n${String(c).padStart(8, '0')}_${i}.JPEG`));
  }
}
