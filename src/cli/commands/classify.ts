/** `resnext classify`: the likeliest classes of each image. */
import type { Views } from '../../data/presets.ts';
import { expandSources } from '../../data/sources.ts';
import { UsageError } from '../../errors.ts';
import { checkThreshold, createResults, type ResultFormat, resultFormat } from '../../output/results.ts';
import { checkBatch, type ModelOptions, openClassifier } from '../model.ts';
import type { Output } from '../output.ts';

export interface ClassifyCommandOptions extends ModelOptions {
  readonly top: number;
  readonly threshold: number;
  readonly batch: number;
  readonly tta: Views;
  readonly json?: boolean;
  readonly format?: ResultFormat;
  /** A file to write. */
  readonly output?: string;
}

/** An image that cannot be read is reported and the others are classified all the same; the exit code is then 1. */
export async function run(
  [images]: readonly [readonly string[]],
  options: ClassifyCommandOptions,
  output: Output,
): Promise<number> {
  const { top, threshold, batch, tta: views, output: file } = options;
  if (!Number.isInteger(top) || top < 1) throw new UsageError(`--top ${top} should be a whole number from 1.`);
  checkThreshold(threshold);
  checkBatch(batch);
  const sources = await expandSources(images);
  const classifier = await openClassifier(options, output);
  const results = createResults(resultFormat(options), file, threshold, output);
  let [done, failed] = [0, 0];
  try {
    for await (const outcome of classifier.classifyEach(sources, { top, threshold, views, batchSize: batch })) {
      const { label: image } = sources[done++]!;
      if ('error' in outcome) {
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
