/** `resnext classify`: the likeliest classes of each picture. */
import { Classifier } from '../../classifier/classifier.ts';
import { FormatError, UsageError } from '../../errors.ts';
import { type Output, table } from '../output.ts';

export interface ClassifyOptions {
  readonly model: string;
  readonly top: number;
}

/** A picture that cannot be read is reported and the others are classified all the same; the exit code is then 1. */
export async function run(
  [images]: readonly [readonly string[]],
  options: ClassifyOptions,
  output: Output,
): Promise<number> {
  if (!(options.top >= 1)) throw new UsageError(`--top ${options.top} should be at least 1.`);
  const classifier = await Classifier.open(options.model);
  const results = [];
  for (const image of images) {
    try {
      const predictions = await classifier.classify(image, options.top);
      results.push({ image, predictions });
      const rows = predictions.map(({ label, probability }) => [percent(probability), label]);
      output.line(`${image}\n${indented(table(rows))}`);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      results.push({ image, error: error.message });
      output.warn(error.message);
    }
  }
  await classifier.dispose();
  output.document(results);
  return results.some((result) => 'error' in result) ? 1 : 0;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const indented = (text: string): string => text.replace(/^/gm, '  ');
