/**
 * Resolves a model that was typed: a path, the name of a shipped model or of published weights, a repository on the hub, or a
 * URL. Commands that also accept new networks take a variant's name, even if there are published weights with that name.
 */

import { existsSync } from 'node:fs';
import { defaultModel, shippedModels } from '../catalog/shipped.ts';
import type { Classifier } from '../classifier/classifier.ts';
import { load } from '../classifier/load.ts';
import { didYouMean, meantName } from '../closest-name.ts';
import type { Preprocessing } from '../data/presets.ts';
import { FormatError, UsageError } from '../errors.ts';
import { withFile } from '../files.ts';
import type { DownloadProgress } from '../hub/download.ts';
import { canPull } from '../hub/names.ts';
import { resolveModel } from '../hub/resolve.ts';
import { defaultModelFile } from '../hub/shipped.ts';
import { isResNet, variant } from '../model/variants.ts';
import { duration } from '../output/text.ts';
import type { ModelDescription } from '../saved/description.ts';
import { readLabels } from '../saved/label-file.ts';
import type { ModelOptions } from './options/shared.ts';
import type { Output } from './output.ts';

/** The key of a network in a checkpoint, if one was typed. */
export const keyOf = ({ key }: { readonly key?: string | undefined }): { readonly key?: string } =>
  key === undefined ? {} : { key };

/** Says which model was used where none was named. */
export function noteDefault(
  { classes, preprocessing: { size } }: ModelDescription,
  other: string,
  output: Output,
): void {
  output.note(
    `Model: ${defaultModel}, which ships with this package (${size} x ${size}, ${classes.length} classes); ${other}.`,
  );
}

/** Opens the model of `--model`, or the default one, and prints notes on it to standard error. */
export async function openClassifier(options: ModelOptions, output: Output): Promise<Classifier> {
  const { model, threads, workers, maxMegapixels, size, resize, interpolation, verify } = options;
  const preprocessing: Partial<Preprocessing> = {
    ...(size !== undefined && { size }),
    ...(resize !== undefined && { resize }),
    ...(interpolation !== undefined && { interpolation }),
  };
  const classifier = await load(model ?? defaultModelFile(), {
    verify,
    ...keyOf(options),
    ...(threads !== undefined && { threads }),
    ...(workers !== undefined && { workers }),
    maxMegapixels,
    ...(options.labels !== undefined && { labels: labelsIn(options.labels) }),
    ...(Object.keys(preprocessing).length > 0 && { preprocessing }),
    onProgress: progressOn(output),
  });
  output.clear();
  if (model === undefined) noteDefault(classifier.description, '--model chooses another', output);
  for (const note of classifier.notes) output.note(note);
  return classifier;
}

/** The names of ImageNet's 21,843 classes with all synonyms take 1 MB. */
const maxLabels = 2 ** 24;

/** The names in a file of labels. */
export const labelsIn = (path: string): string[] =>
  withFile(path, ({ size, fill }) => {
    const source = `The file of labels "${path}"`;
    if (size > maxLabels) throw new FormatError(`${source} has ${size} bytes, but expected at most ${maxLabels}.`);
    const bytes = new Uint8Array(size);
    return readLabels(bytes.subarray(0, fill(bytes, 0)), source);
  });

/** The path of a model, which is downloaded if necessary. */
export async function modelPath(text: string, output: Output): Promise<string> {
  const { path } = await resolveModel(text, { onProgress: progressOn(output) });
  output.clear();
  return path;
}

/** As `modelPath`, but undefined if the text should be treated as a variant's name, valid or not. */
export async function modelPathUnlessVariant(text: string, output: Output): Promise<string | undefined> {
  if (!existsSync(text) && isVariant(text)) return undefined;
  const isModel = existsSync(text) || canPull(text) || /[./\\]/.test(text); // names of variants contain none of these
  if (isModel) return modelPath(text, output);
  const meant = isResNet(text)
    ? undefined
    : meantName(
        text,
        Array.from(shippedModels, ({ name }) => name),
      );
  if (meant === undefined) return undefined;
  throw new UsageError(`"${text}" is neither a variant nor a model.${didYouMean(meant)}`);
}

function isVariant(text: string): boolean {
  try {
    variant(text);
    return true;
  } catch {
    return false;
  }
}

/** Shows the progress of a download. */
export const progressOn =
  (output: Output) =>
  ({ name, done, total, rate }: DownloadProgress): void => {
    const speed = `${megabytes(rate)} MB/s`;
    const left = total === undefined ? [] : [`${duration((total - done) / Math.max(1, rate))} left`];
    const size = total === undefined ? megabytes(done) : `${megabytes(done)} of ${megabytes(total)}`;
    output.progress(total === undefined ? 0 : done / total, name, `${size} MB`, ...left, speed);
  };

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
