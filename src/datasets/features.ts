/** The features that the library `datasets` describes in Parquet files, as JSON under the key "huggingface". */
import * as z from 'zod';

const classLabel = z.object({ names: z.array(z.string()).min(1) });
const schema = z.object({ info: z.object({ features: z.record(z.string(), z.unknown()) }) });

/** The names of a column's classes; undefined if the text does not have them. */
export function classNamesIn(text: string | undefined, column: string): readonly string[] | undefined {
  const features = schema.safeParse(parsed(text)).data?.info.features;
  return classLabel.safeParse(features?.[column]).data?.names;
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined; // other programs may use the key for something else
  }
}
