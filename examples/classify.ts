/**
 * Opens a trained model and names what pictures show. The model brings its labels and its preprocessing along.
 *
 *   npx tsx examples/train.ts
 *   npx tsx examples/classify.ts [run folder] [folder of pictures]
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Classifier } from 'resnext';

const bundled = fileURLToPath(new URL('pictures/unseen', import.meta.url));
const [model = 'runs/example', pictures = bundled] = process.argv.slice(2);

const classifier = await Classifier.open(model);
for (const file of (await readdir(pictures)).sort()) {
  const predictions = await classifier.classify(join(pictures, file), { top: 2 });
  const names = predictions.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(1)} %`);
  console.log(`${file.padEnd(18)} ${names.join(', ')}`);
}
await classifier.dispose();
