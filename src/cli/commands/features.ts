/** `resnext features`: writes feature vectors or feature maps of images to files for other programs. */

import type { Features } from '../../classifier/features.ts';
import type { Outcome } from '../../classifier/outcomes.ts';
import { expandSources, type Source } from '../../data/sources.ts';
import { FormatError, printable, UsageError } from '../../errors.ts';
import { checkWritable } from '../../files.ts';
import { defaultModelFile } from '../../hub/shipped.ts';
import type { Stage } from '../../model/stages.ts';
import type { OptionsOf } from '../../options.ts';
import { FeatureCollector, featureFiles, type WrittenFeatures } from '../../output/features.ts';
import { counted } from '../../output/text.ts';
import { runImages } from '../images.ts';
import { openClassifier } from '../model.ts';
import type { featuresOptions } from '../options/images.ts';
import type { Output } from '../output.ts';
import { taskOf } from '../task.ts';

type FeaturesOptions = OptionsOf<typeof featuresOptions>;

/** Reports and skips images that cannot be read, with exit code 1. */
export async function run(options: FeaturesOptions, output: Output): Promise<number> {
  const stages = stagesOf(options.stages);
  const names = featureFiles(options.output, stages);
  for (const name of [...names.stages, names.paths ?? options.output]) await checkWritable(name);
  const { sources, notes } = await expandSources(options.images);
  for (const note of notes) output.warn(note);
  const written = await collect(stages, sources, options, output);
  if (!written) throw new FormatError('None of the images can be read, so no file was written.');
  const { files, shapes, images, unread } = written;
  output.document({ files, images, stages: shapes, corrupt: unread });
  const described = Object.entries(shapes).map(([stage, dims]) => `${stage} [${dims.join(', ')}]`);
  output.line(`Wrote ${printable(files.join(', '))}: ${described.join(', ')} of ${counted(images, 'image')}.`);
  return unread.length > 0 ? 1 : 0;
}

function stagesOf(names: readonly string[]): Stage[] {
  const unknown = names.find((name) => !/^(stem|layer\d+|pooled|logits)$/.test(name));
  if (unknown === undefined) return [...new Set(names)] as Stage[];
  throw new UsageError(`--stages contains "${unknown}", but expected stem, layer1, layer2, …, pooled or logits.`);
}

async function collect(
  stages: readonly Stage[],
  sources: readonly Source[],
  options: FeaturesOptions,
  output: Output,
): Promise<WrittenFeatures | undefined> {
  const { model = defaultModelFile(), key, output: file, batch } = options;
  const classifier = await openClassifier(options, output);
  try {
    const task = await taskOf(model, classifier, sources, { key, stages });
    const collector = await FeatureCollector.open(file, stages, task);
    try {
      for (const note of collector.notes) output.warn(note);
      const run = (rest: readonly Source[]) => classifier.featuresEach(rest, { stages, batchSize: batch });
      const add = (label: string, outcome: Outcome<Features>) =>
        'error' in outcome ? collector.addUnread(label) : collector.add(label, outcome.result);
      const { done, isKept } = collector;
      const running = { sources, run, imagesPerBatch: batch, isCollected: true };
      await runImages(running, { done, isKept, add, save: () => collector.save() }, output);
      return await collector.write();
    } finally {
      collector.close();
    }
  } finally {
    await classifier.dispose();
  }
}
