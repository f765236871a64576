/**
 * Draws the images of `test/samples` from the test images of a dataset: 500, as evenly over its classes as that goes, the same
 * ones each time. The files are packed as they are.
 *
 *   npx tsx test/samples/draw.ts cifar10 FOLDER       # FOLDER/CLASS/FILE
 *
 * The files are small and mostly the same tables of JPEG, so gzip makes a tar of them a third as large, and each by itself hardly
 * smaller.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { uniform } from '../../src/random.ts';
import { tar } from '../pack.ts';

const images = 500;

const [name, folder] = process.argv.slice(2);
if (name === undefined || folder === undefined) {
  console.error('Name a model and the folder of its test images: npx tsx test/samples/draw.ts cifar10 cifar10/test');
  process.exit(1);
}

const random = uniform(1);

/** A list in random order (Fisher and Yates). */
function shuffled<T>(list: readonly T[]): T[] {
  const order = [...list];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

const classes = readdirSync(folder).sort();
const each = Math.floor(images / classes.length);
const withOneMore = new Set(shuffled(classes).slice(0, images % classes.length));
const paths = classes.flatMap((label) =>
  shuffled(readdirSync(join(folder, label)).sort())
    .slice(0, each + (withOneMore.has(label) ? 1 : 0))
    .sort()
    .map((file) => `${label}/${file}`),
);
const archive = gzipSync(tar(Object.fromEntries(paths.map((path) => [path, readFileSync(join(folder, path))]))), {
  level: 9,
});
const file = fileURLToPath(new URL(`${name}.tar.gz`, import.meta.url));
writeFileSync(file, archive);
console.log(`Wrote ${paths.length} images of ${classes.length} classes to ${file}: ${archive.length} bytes.`);
