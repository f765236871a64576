/**
 * Exports a trained model as one ONNX file that includes its labels and preprocessing, then opens and runs that file as
 * a program without any other information would.
 *
 *   npx tsx examples/train.ts
 *   npx tsx examples/export.ts [run folder] [ONNX file] [image]
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exportOnnx, load, loadModel } from 'resnext';
import { readOnnxFile, Session, tensor } from 'resnext/graph';

const bundled = fileURLToPath(new URL('images/unseen/frog-1.jpg', import.meta.url));
const [run = 'runs/example', file = `${run}/model.onnx`, image = bundled] = process.argv.slice(2);

if (!existsSync(run)) {
  console.error(`There is no run "${run}". Run "npx tsx examples/train.ts" first.`);
  process.exit(1);
}

await exportOnnx(file, await loadModel(run));

// The file's metadata contains a description of the model as JSON.
const { metadata } = await readOnnxFile(file);
const { variant, classes, preprocessing } = JSON.parse(metadata.get('resnext')!);
console.log(`${file}: ${variant}, ${classes.length} classes: ${classes.join(', ')}`);
console.log(`preprocessing: ${JSON.stringify(preprocessing)}`);

// Any ONNX Runtime can run it, with any batch size.
const session = await Session.open(file);
const { channels, size } = preprocessing;
const input = tensor('float32', [2, channels, size, size]); // [N, C, H, W]
const logits = (await session.run(new Map([['input', input]]))).get('logits')!; // [N, K]
console.log(`${session.inputNames} [${input.dims}] to ${session.outputNames} [${logits.dims}]`);
await session.dispose();

// With this package, one call does all of it.
const classifier = await load(file);
const [best] = await classifier.classify(image);
console.log(`${image}: ${best!.label}, ${(100 * best!.probability).toFixed(1)} %`);
await classifier.dispose();
