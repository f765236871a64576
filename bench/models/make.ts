/**
 * Makes the folder of a shipped model from the run that trained it: weights in float16, description, pictures and card, with
 * figures that are measured on the written file.
 *
 *   npm run models -- cifar10 runs/cifar10 cifar10
 *
 * The run may still be training: the folder then has its best epoch so far.
 */
import { readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { float16Weights, loadModel, type ModelDescription, type RecipeEntry, recipes, saveModel } from 'resnext';
import { cost } from 'resnext/graph';
import { openStateDict } from 'resnext/weights';
import { detailsOf, epochsIn, type RunDetails } from '../../src/report/run-details.ts';
import { main } from '../report.ts';
import { type About, about } from './about.ts';
import { accuracyOf, evaluate, modelFolder, type Recorded, samplePath } from './accuracy.ts';
import { card } from './card.ts';
import { confusionPicture, curvePicture } from './pictures.ts';

await main(async () => {
  const [name, run, data] = process.argv.slice(2);
  if (name === undefined || run === undefined || data === undefined || !Object.hasOwn(about, name)) {
    const names = Object.keys(about).join(' or ');
    throw new Error(`Name a model (${names}), its run and its images: npm run models -- cifar10 runs/cifar10 cifar10`);
  }
  await make(name, run, data);
});

async function make(name: string, run: string, data: string): Promise<void> {
  const own = about[name]!;
  const lines = epochsIn(readFileSync(join(run, 'metrics.jsonl'), 'utf8'));
  const record = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')) as RunRecord;
  const details = detailsOf(record);
  for (const difference of differences(own, details)) console.log(difference);
  const { description, graph, weights } = await loadModel(run);
  const folder = modelFolder(name);
  const training = trainingOf(record, name, own);
  const halves = float16Weights(weights!);
  const write = async (metrics: ModelDescription['metrics']) =>
    saveModel(folder, { ...description, metrics, training }, halves, await stepsOf(run));
  await write({});
  const [test, sample] = [await evaluate(folder, data), await evaluate(folder, samplePath(name))];
  const { top1, top5, loss, balancedAccuracy, macroF1 } = test;
  await write({ epoch: description.metrics.epoch!, loss, top1, top5, balancedAccuracy, macroF1 });
  const recorded: Recorded = { test: accuracyOf(test), sample: accuracyOf(sample) };
  const { parameters, macs } = cost(graph);
  const size = { bytes: statSync(join(folder, 'model.safetensors')).size, parameters, macs };
  const files = {
    'accuracy.json': `${JSON.stringify(recorded, null, 2)}\n`,
    'curve.svg': await curvePicture(name, lines, own.evaluated.split(' ')[0]!),
    'confusion.svg': confusionPicture(test, own.groups),
    'README.md': card({ name, about: own, description, size, test, sample, lines, details }),
  };
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  console.log(
    `Wrote ${folder}: top-1 ${top1.toFixed(2)} % of ${test.images} images, ${(size.bytes / 1e6).toFixed(2)} MB.`,
  );
}

/** The training steps that are in the running statistics of a run's model. */
async function stepsOf(run: string): Promise<number> {
  const { tensors } = await openStateDict(run);
  return Number(tensors.get('bn1.num_batches_tracked')!.read().data[0]);
}

/** What is used of `run.json`. */
type RunRecord = NonNullable<ModelDescription['training']> & { readonly machine: { readonly system: string } };

/** How the run made the model, with names in place of the paths of the machine that it ran on. */
function trainingOf({ options, data, network, versions, machine }: RunRecord, name: string, own: About) {
  const [system, , architecture] = machine.system.split(' ');
  return {
    options: { ...options, data: own.dataset, out: `runs/${name}` },
    data: { ...data, folder: own.dataset, trainDir: `${own.dataset}/train` },
    network,
    versions,
    machine: { ...machine, system: `${system} ${architecture}` },
  };
}

/** Sentences on what the run did otherwise than the recipe that is said to make the model again. */
function differences({ recipe }: About, { options }: RunDetails): string[] {
  const entry: RecipeEntry = recipes[recipe];
  return Object.entries(entry.options).flatMap(([option, value]) =>
    String(options[option]) === String(value)
      ? []
      : [`The run had ${option} ${options[option]}, but the recipe ${recipe} has ${value}. Change one of them.`],
  );
}
