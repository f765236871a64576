/**
 * Loads a trained model and classifies images. The model includes its labels and preprocessing.
 *
 *   npx tsx examples/train.ts
 *   npx tsx examples/classify.ts [run folder] [folder of images]
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'resnext';

const bundled = fileURLToPath(new URL('images/unseen', import.meta.url));
const [model = 'runs/example', images = bundled] = process.argv.slice(2);

if (!existsSync(model)) {
  console.error(`There is no run "${model}". Run "npx tsx examples/train.ts" first.`);
  process.exit(1);
}

const classifier = await load(model);
for (const file of (await readdir(images)).sort()) {
  const predictions = await classifier.classify(join(images, file), { top: 2 });
  const labels = predictions.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(1)} %`);
  console.log(`${file.padEnd(18)} ${labels.join(', ')}`);
}
await classifier.dispose();
