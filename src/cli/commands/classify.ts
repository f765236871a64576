/** `resnext classify`: prints the most likely classes of each image, or writes them to a file. */
import type { Classifier } from '../../classifier/classifier.ts';
import { imagesPerBatch, type Outcome } from '../../classifier/outcomes.ts';
import type { Prediction } from '../../classifier/predictions.ts';
import { evaluationTransforms } from '../../data/presets.ts';
import { expandSources, type Source } from '../../data/sources.ts';
import { defaultModelFile } from '../../hub/shipped.ts';
import type { OptionsOf } from '../../options.ts';
import { type ResultFormat, resultFormat } from '../../output/formats.ts';
import { FileResults, printedResults, type Results } from '../../output/results.ts';
import { counted } from '../../output/text.ts';
import { runImages } from '../images.ts';
import { openClassifier } from '../model.ts';
import type { classifyOptions } from '../options/images.ts';
import type { Output } from '../output.ts';
import { checkShow, showClassified } from '../shown.ts';
import { taskOf } from '../task.ts';

type ClassifyOptions = OptionsOf<typeof classifyOptions>;

/** Reports images that cannot be read, with exit code 1, but classifies the others. As text, a single one is an error. */
export async function run(options: ClassifyOptions, output: Output): Promise<number> {
  const { images, output: file } = options;
  const format = resultFormat(options);
  checkShow(options);
  const { sources, notes } = await expandSources(images);
  for (const note of notes) output.warn(note);
  const classifier = await openClassifier(options, output);
  try {
    if (options.show) return (await showClassified(classifier, sources, options, output)) > 0 ? 1 : 0;
    const results = await openResults(classifier, sources, format, options, output);
    try {
      await classifyAll(classifier, sources, format, options, results, output);
      const { failed } = results;
      await results.end();
      if (file !== undefined) output.line(`Wrote ${file}: ${counted(sources.length - failed, 'image')}.`);
      return failed > 0 ? 1 : 0;
    } finally {
      results.close();
    }
  } finally {
    await classifier.dispose();
  }
}

async function openResults(
  classifier: Classifier,
  sources: readonly Source[],
  format: ResultFormat,
  { model = defaultModelFile(), key, output: file, top, threshold, tta }: ClassifyOptions,
  output: Output,
): Promise<Results> {
  if (file === undefined) return printedResults(format, { top, threshold }, output.data);
  const task = await taskOf(model, classifier, sources, { key, top, threshold, tta });
  const results = await FileResults.open(file, format, { top, threshold }, task);
  for (const note of results.notes) output.warn(note);
  return results;
}

async function classifyAll(
  classifier: Classifier,
  sources: readonly Source[],
  format: ResultFormat,
  { output: file, top, threshold, batch, tta: views }: ClassifyOptions,
  results: Results,
  output: Output,
): Promise<void> {
  const { preprocessing } = classifier.description;
  const running = {
    sources,
    run: (rest: readonly Source[]) => classifier.classifyEach(rest, { top, threshold, views, batchSize: batch }),
    imagesPerBatch: imagesPerBatch(batch, evaluationTransforms(preprocessing, views)),
    isCollected: file !== undefined,
    isFailureFatal: sources.length === 1 && format === 'text',
  };
  const collector = {
    done: results.done,
    isKept: results.isKept,
    add: (image: string, outcome: Outcome<Prediction[]>) =>
      results.add(
        'error' in outcome ? { image, error: outcome.error.message } : { image, predictions: outcome.result },
      ),
    save: () => results.save(),
  };
  await runImages(running, collector, output);
}
