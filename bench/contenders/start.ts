/** A program that classifies one picture with this package, for `bench/start.ts`: node start.js MODEL PICTURE. */
import { Classifier } from 'resnext';

const [model, picture] = process.argv.slice(2);
const classifier = await Classifier.open(model!);
const [best] = await classifier.classify(picture!);
console.log(best!.label, best!.probability);
await classifier.dispose();
