/** A program that classifies one image with this package, for `bench/start.ts`: node start.js MODEL IMAGE. */
import { load } from 'resnext';

const [model, image] = process.argv.slice(2);
const classifier = await load(model!);
const [best] = await classifier.classify(image!);
console.log(best!.label, best!.probability);
await classifier.dispose();
