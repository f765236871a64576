/**
 * Writes a trained model as one ONNX file that carries its labels and preprocessing, opens that file again and runs it,
 * as a program that has nothing else would.
 *
 *   npx tsx examples/train.ts
 *   npx tsx examples/export.ts [run folder] [ONNX file] [picture]
 */
import { fileURLToPath } from 'node:url';
import { Classifier, exportOnnx, loadModel, readOnnxFile, Session, tensor } from 'resnext';

const bundled = fileURLToPath(new URL('pictures/unseen/frog-1.jpg', import.meta.url));
const [run = 'runs/example', file = `${run}/model.onnx`, picture = bundled] = process.argv.slice(2);

await exportOnnx(file, await loadModel(run));

// What the file says about itself is JSON among its metadata.
const { metadata } = await readOnnxFile(file);
const { variant, classes, preprocessing } = JSON.parse(metadata.get('resnext')!);
console.log(`${file}: ${variant}, ${classes.length} classes: ${classes.join(', ')}`);
console.log(`preprocessing: ${JSON.stringify(preprocessing)}`);

// Any ONNX Runtime opens it, with as many pictures at a time as there are.
const session = await Session.open(file);
const { channels, size } = preprocessing;
const grey = tensor('float32', [2, channels, size, size]); // [N, C, H, W]
const logits = (await session.run(new Map([['input', grey]]))).get('logits')!; // [N, K]
console.log(`${session.inputNames} [${grey.dims}] to ${session.outputNames} [${logits.dims}]`);
await session.dispose();

// With this package one call does it all.
const classifier = await Classifier.open(file);
const [best] = await classifier.classify(picture);
console.log(`${picture}: ${best!.label}, ${(100 * best!.probability).toFixed(1)} %`);
await classifier.dispose();
