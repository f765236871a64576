/**
 * Writes a trained model as one ONNX file that carries its labels and preprocessing, opens that file again and runs it,
 * as a program that has nothing else would.
 *
 *   npx tsx examples/train.ts
 *   npx tsx examples/export.ts [run folder] [ONNX file] [image]
 */
import { fileURLToPath } from 'node:url';
import { exportOnnx, load, loadModel, readOnnxFile, Session, tensor } from 'resnext';

const bundled = fileURLToPath(new URL('images/unseen/frog-1.jpg', import.meta.url));
const [run = 'runs/example', file = `${run}/model.onnx`, image = bundled] = process.argv.slice(2);

await exportOnnx(file, await loadModel(run));

// What the file says about itself is JSON among its metadata.
const { metadata } = await readOnnxFile(file);
const { variant, classes, preprocessing } = JSON.parse(metadata.get('resnext')!);
console.log(`${file}: ${variant}, ${classes.length} classes: ${classes.join(', ')}`);
console.log(`preprocessing: ${JSON.stringify(preprocessing)}`);

// Any ONNX Runtime opens it, with as many images at a time as there are.
const session = await Session.open(file);
const { channels, size } = preprocessing;
const grayscale = tensor('float32', [2, channels, size, size]); // [N, C, H, W]
const logits = (await session.run(new Map([['input', grayscale]]))).get('logits')!; // [N, K]
console.log(`${session.inputNames} [${grayscale.dims}] to ${session.outputNames} [${logits.dims}]`);
await session.dispose();

// With this package one call does it all.
const classifier = await load(file);
const [best] = await classifier.classify(image);
console.log(`${image}: ${best!.label}, ${(100 * best!.probability).toFixed(1)} %`);
await classifier.dispose();
