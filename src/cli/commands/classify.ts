/** `resnext classify`: prints the most likely classes of each image. */
import { expandSources } from '../../data/sources.ts';
import type { OptionsOf } from '../../options.ts';
import { createResults, resultFormat } from '../../output/results.ts';
import { openClassifier } from '../model.ts';
import type { classifyOptions } from '../options.ts';
import type { Output } from '../output.ts';

type ClassifyOptions = OptionsOf<typeof classifyOptions>;

/** Reports images that cannot be read, with exit code 1, but classifies the others. As text, a single one is an error. */
export async function run(options: ClassifyOptions, output: Output): Promise<number> {
  const { images, top, threshold, batch, tta: views, output: file } = options;
  const { sources, notes } = await expandSources(images);
  for (const note of notes) output.warn(note);
  const classifier = await openClassifier(options, output);
  const format = resultFormat(options);
  const results = createResults(format, file, threshold, output);
  let [done, failed] = [0, 0];
  try {
    for await (const outcome of classifier.classifyEach(sources, { top, threshold, views, batchSize: batch })) {
      const { label: image } = sources[done++]!;
      if ('error' in outcome) {
        if (sources.length === 1 && format === 'text') throw outcome.error;
        failed++;
        output.warn(outcome.error.message);
        results.add({ image, error: outcome.error.message });
      } else results.add({ image, predictions: outcome.result });
      if (file !== undefined) output.progress(done / sources.length, `${done} of ${sources.length} images`);
    }
  } finally {
    await classifier.dispose();
  }
  await results.end();
  if (file !== undefined) output.line(`Wrote ${file}: ${sources.length - failed} images.`);
  return failed > 0 ? 1 : 0;
}
