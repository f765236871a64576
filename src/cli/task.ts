/** Identifies a task whose partial results may be continued: by everything that determines its results. */
import { createHash, type Hash, randomUUID } from 'node:crypto';
import { fingerprint } from '../cache/fingerprint.ts';
import type { Classifier } from '../classifier/classifier.ts';
import type { Source } from '../data/sources.ts';
import { statIfPresent } from '../files.ts';
import { resolveModel } from '../hub/resolve.ts';
import type { Task } from '../output/partial.ts';
import { modelFile } from '../saved/files.ts';
import { version } from '../version.ts';

/**
 * The model by its file, images by their names, sizes and times, and these options. Batches and threads are not part of it,
 * so that a task that ran out of memory continues with smaller ones.
 *
 * @param model as it was typed.
 */
export async function taskOf(
  model: string,
  classifier: Classifier,
  sources: readonly Source[],
  options: Readonly<Record<string, unknown>>,
): Promise<Task> {
  const { path } = await resolveModel(model);
  const { preprocessing, classes } = classifier.description;
  const facts = Object.entries(options).map(([name, value]) => [name, String(value)]);
  return {
    version: version(),
    model: fingerprint(modelFile(path)),
    preprocessing: JSON.stringify(preprocessing),
    classes: digest((hash) => hash.update(JSON.stringify(classes))),
    images: digest((hash) => {
      for (const source of sources) hash.update(`${identityOf(source)}\n`);
    }),
    ...Object.fromEntries(facts),
  };
}

/** The images of another time may be others, where they come from standard input. */
function identityOf({ label, image }: Source): string {
  if (typeof image !== 'string') return randomUUID();
  const { size, mtimeMs } = statIfPresent(image) ?? {};
  return JSON.stringify([label, size, mtimeMs]);
}

function digest(update: (hash: Hash) => void): string {
  const hash = createHash('sha256');
  update(hash);
  return hash.digest('hex');
}
