/**
 * The end of `npm run demo`: shows whether a trained model recognizes images that it has never seen.
 *
 *   npx tsx examples/demo.ts [run folder] [folder of images]
 *
 * The class of an image is the part of its name before the last dash.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'resnext';

const bundled = fileURLToPath(new URL('images/unseen', import.meta.url));
const [model = 'runs/demo', images = bundled] = process.argv.slice(2);

const classifier = await load(model);
const files = (await readdir(images)).filter((file) => file.endsWith('.jpg')).sort();
let right = 0;
console.log('\nImages that the model has never seen:\n');
for (const file of files) {
  const own = file.slice(0, file.lastIndexOf('-'));
  const predictions = await classifier.classify(join(images, file));
  const best = predictions[0]!;
  const percent = (label: string) => {
    const { probability = 0 } = predictions.find((prediction) => prediction.label === label) ?? {};
    return `${(100 * probability).toFixed(0)} %`;
  };
  const isRight = best.label === own;
  if (isRight) right++;
  const verdict = isRight ? 'right' : `wrong: ${own} gets ${percent(own)}`;
  console.log(`  ${file.padEnd(18)} ${best.label.padEnd(10)} ${percent(best.label).padStart(5)}  ${verdict}`);
}
await classifier.dispose();

console.log(`
${right} of ${files.length} right.

Next:
  npx resnext evaluate examples/images/val --model ${model} --report report.html
  npx resnext classify PHOTO.jpg --model ${model}
  npx resnext train FOLDER --out runs/mine  # your images, a subfolder per class
  npx resnext --help`);
