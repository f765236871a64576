/** `resnext features`: writes feature vectors or feature maps of images to files for other programs. */
import { expandSources } from '../../data/sources.ts';
import { FormatError, UsageError } from '../../errors.ts';
import type { Stage } from '../../model/stages.ts';
import type { OptionsOf } from '../../options.ts';
import { checkFeatureFile, type Table, writeFeatures } from '../../output/features.ts';
import type { Tensor } from '../../tensor.ts';
import { openClassifier } from '../model.ts';
import type { featuresOptions } from '../options.ts';
import type { Output } from '../output.ts';

/** Reports and skips images that cannot be read, with exit code 1. */
export async function run(options: OptionsOf<typeof featuresOptions>, output: Output): Promise<number> {
  const { images, output: file, batch } = options;
  checkFeatureFile(file);
  const stages = stagesOf(options.stages);
  const { sources, notes } = await expandSources(images);
  for (const note of notes) output.warn(note);
  const classifier = await openClassifier(options, output);
  const paths: string[] = [];
  const unread: string[] = [];
  const rows = new Map(stages.map((stage): [Stage, Tensor<'float32'>[]] => [stage, []]));
  try {
    for await (const outcome of classifier.featuresEach(sources, { stages, batchSize: batch })) {
      const { label } = sources[paths.length + unread.length]!;
      if ('error' in outcome) {
        output.warn(outcome.error.message);
        unread.push(label);
      } else {
        paths.push(label);
        for (const stage of stages) rows.get(stage)!.push(outcome.result.get(stage)!);
      }
      const done = paths.length + unread.length;
      output.progress(done / sources.length, `${done} of ${sources.length} images`);
    }
  } finally {
    await classifier.dispose();
  }
  if (paths.length === 0) throw new FormatError('None of the images can be read, so no file was written.');
  await write(file, paths, rows, unread, output);
  return unread.length > 0 ? 1 : 0;
}

function stagesOf(names: readonly string[]): Stage[] {
  const unknown = names.find((name) => !/^(stem|layer\d+|pooled|logits)$/.test(name));
  if (unknown === undefined) return [...new Set(names)] as Stage[];
  throw new UsageError(`--stages contains "${unknown}", but expected stem, layer1, layer2, …, pooled or logits.`);
}

async function write(
  file: string,
  paths: readonly string[],
  rows: ReadonlyMap<Stage, readonly Tensor<'float32'>[]>,
  corrupt: readonly string[],
  output: Output,
): Promise<void> {
  const tables = [...rows].map(([stage, tensors]): [string, Table] => [stage, { paths, rows: tensors }]);
  const files = await writeFeatures(file, new Map(tables));
  const stages = Object.fromEntries([...rows].map(([stage, [first]]) => [stage, first!.dims]));
  output.document({ files, images: paths.length, stages, corrupt });
  const shapes = Object.entries(stages).map(([stage, dims]) => `${stage} [${dims.join(', ')}]`);
  output.line(`Wrote ${files.join(', ')}: ${shapes.join(', ')} of ${paths.length} images.`);
}
