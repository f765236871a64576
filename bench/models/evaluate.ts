/**
 * Evaluates the shipped models on all of their test or validation images, and compares the result with the figures of their cards.
 *
 *   npm run evaluate:default -- cifar10 tiny-imagenet-32
 *
 * Each argument is a dataset, and is for the model that has its classes. A model without one is evaluated on its sample in
 * `test/samples` alone. Fails if a figure differs by more than the rounding of another machine explains.
 */
import { loadModel, UsageError } from 'resnext';
import { openLabeledImages } from 'resnext/data';
import { main } from '../report.ts';
import { about } from './about.ts';
import { type Accuracy, accuracyOf, confirms, evaluate, modelFolder, readRecorded, samplePath } from './accuracy.ts';

await main(async () => {
  const given = process.argv.slice(2);
  const datasets = new Map<string, string>();
  for (const data of given) datasets.set(await modelFor(data), data);
  for (const name of Object.keys(about)) await check(name, datasets.get(name));
});

/** The name of the model that has the classes of a dataset. */
async function modelFor(data: string): Promise<string> {
  const reasons: string[] = [];
  for (const name of Object.keys(about)) {
    const { classes } = (await loadModel(modelFolder(name))).description;
    try {
      await openLabeledImages(data, classes);
      return name;
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      reasons.push(error.message);
    }
  }
  throw new Error(`"${data}" has the classes of no shipped model. ${[...new Set(reasons)].join(' ')}`);
}

async function check(name: string, data: string | undefined): Promise<void> {
  const recorded = readRecorded(name);
  await compare(name, 'the sample', samplePath(name), recorded.sample);
  const { dataset, evaluated } = about[name]!;
  if (data !== undefined) return compare(name, `all ${evaluated}, in ${data}`, data, recorded.test);
  console.log(
    `${name}: not evaluated on all ${recorded.test.images} ${evaluated}, since they are not given. Name their folder, with val or test in it: npm run evaluate:default -- ${dataset}`,
  );
}

async function compare(name: string, what: string, data: string, recorded: Accuracy): Promise<void> {
  const measured = accuracyOf(await evaluate(modelFolder(name), data));
  if (measured.images !== recorded.images) {
    throw new Error(
      `"${data}" has ${measured.images} images, but the card of ${name} is about ${recorded.images}. Name the dataset that it describes.`,
    );
  }
  const share = (count: number) => `${((100 * count) / measured.images).toFixed(2)} %`;
  const say = ({ images, correct, correctInFive }: Accuracy) =>
    `${correct} of ${images} right (${share(correct)}), ${correctInFive} in five (${share(correctInFive)})`;
  const same = confirms(measured, recorded);
  console.log(`${name}, ${what}: ${say(measured)}. ${same ? 'As on its card.' : `Its card says ${say(recorded)}.`}`);
  if (!same) throw new Error(`${name} does not have the accuracy of its card on ${what}.`);
}
