/** `resnext classify`: the likeliest classes of each image. */
import type { Classifier } from '../../classifier/classifier.ts';
import type { OptionsOf } from '../../options.ts';
import { createResults, type Results, resultFormat } from '../../output/results.ts';
import { openClassifier } from '../model.ts';
import type { classifyOptions } from '../options.ts';
import type { Output } from '../output.ts';
import { expandSources, type Read, readInBatches } from '../sources.ts';

type ClassifyOptions = OptionsOf<typeof classifyOptions>;

/** An image that cannot be read is reported and the others are classified all the same; the exit code is then 1. */
export async function run(options: ClassifyOptions, output: Output): Promise<number> {
  const { images, threshold, batch, tta, output: file } = options;
  const sources = await expandSources(images);
  const classifier = await openClassifier(options, output);
  const results = createResults(resultFormat(options), file, threshold, output);
  let failed = 0;
  try {
    await readInBatches(classifier, sources, batch, tta, async (read, done) => {
      failed += await classifyBatch(classifier, read, options, results, output);
      if (file !== undefined) output.progress(done / sources.length, `${done} of ${sources.length} images`);
    });
  } finally {
    await classifier.dispose();
  }
  await results.end();
  if (file !== undefined) output.line(`Wrote ${file}: ${sources.length - failed} images.`);
  return failed > 0 ? 1 : 0;
}

/** Returns how many images could not be read. */
async function classifyBatch(
  classifier: Classifier,
  read: readonly Read[],
  { top, threshold, batch }: ClassifyOptions,
  results: Results,
  output: Output,
): Promise<number> {
  const inputs = read.flatMap((each) => ('prepared' in each ? [each.prepared] : []));
  const views = inputs[0]?.dims[0] ?? 1;
  const batchSize = Math.max(1, Math.floor(batch / views));
  const predicted = await classifier.classify(inputs, { top, threshold, batchSize });
  for (const { name: image, ...each } of read) {
    if ('error' in each) output.warn(each.error);
    results.add('error' in each ? { image, error: each.error } : { image, predictions: predicted.shift()! });
  }
  return read.length - inputs.length;
}
