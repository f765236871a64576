/**
 * What is typed for a model: a path, published weights, a repository of the hub or an address; and where a command takes
 * new nets too, a variant's name, which wins over the weights that are published for it.
 */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import type { Classifier } from '../classifier/classifier.ts';
import { load } from '../classifier/load.ts';
import type { Preprocessing } from '../data/presets.ts';
import { UsageError } from '../errors.ts';
import { refusal } from '../files.ts';
import type { DownloadProgress } from '../hub/download.ts';
import { canPull } from '../hub/pull.ts';
import { resolveModel } from '../hub/resolve.ts';
import { parseJson } from '../json.ts';
import { variant } from '../model/variants.ts';
import { duration } from '../output/text.ts';
import type { ModelOptions } from './options.ts';
import type { Output } from './output.ts';

/** Opens the model of `--model`, with what there is to be said of it on standard error. */
export async function openClassifier(options: ModelOptions, output: Output): Promise<Classifier> {
  const { model, threads, workers, size, resize, interpolation } = options;
  const preprocessing: Partial<Preprocessing> = {
    ...(size !== undefined && { size }),
    ...(resize !== undefined && { resize }),
    ...(interpolation !== undefined && { interpolation }),
  };
  const classifier = await load(model, {
    ...(threads !== undefined && { threads }),
    ...(workers !== undefined && { workers }),
    ...(options.labels !== undefined && { labels: await readLabels(options.labels) }),
    ...(Object.keys(preprocessing).length > 0 && { preprocessing }),
    onProgress: progressOn(output),
  });
  output.clear();
  for (const note of classifier.notes) output.note(note);
  return classifier;
}

/** Every number from 0 to that of the last class, once. */
const isNumbering = (numbers: Readonly<Record<string, number>>): boolean =>
  Object.values(numbers)
    .sort((a, b) => a - b)
    .every((number, k) => number === k);

const labelsSchema = z.union([z.array(z.string()).min(1), z.record(z.string(), z.number()).refine(isNumbering)]);

/** Names of classes from a file: a line each, a list in JSON, or torchvision's `class_to_idx` in JSON. */
async function readLabels(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw refusal('read', path, cause);
  });
  if (!/^\s*[[{]/.test(text)) return text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const { data } = labelsSchema.safeParse(parseJson(text, `"${path}"`));
  if (!data) {
    throw new UsageError(
      `The labels "${path}" should be a name per line, or JSON: a list of names, or numbers by name, from 0 on.`,
    );
  }
  return Array.isArray(data) ? data : Object.keys(data).sort((a, b) => data[a]! - data[b]!);
}

/** The file or folder that a text means, downloaded if need be. */
export async function modelPath(text: string, output: Output): Promise<string> {
  const { path } = await resolveModel(text, { onProgress: progressOn(output) });
  output.clear();
  return path;
}

/** `modelPath`, or undefined where a command should take the text for a variant, or say that it is none. */
export async function modelPathUnlessVariant(text: string, output: Output): Promise<string | undefined> {
  if (!existsSync(text) && isVariant(text)) return undefined;
  const isModel = existsSync(text) || canPull(text) || /[./\\]/.test(text); // a variant has none of these in its name
  return isModel ? modelPath(text, output) : undefined;
}

function isVariant(text: string): boolean {
  try {
    variant(text);
    return true;
  } catch {
    return false;
  }
}

/** Draws how far a download is. */
export const progressOn =
  (output: Output) =>
  ({ name, done, total, rate }: DownloadProgress): void => {
    const speed = `${megabytes(rate)} MB/s`;
    const left = total === undefined ? '' : `  ${duration((total - done) / Math.max(1, rate))} left`;
    const size = total === undefined ? megabytes(done) : `${megabytes(done)} of ${megabytes(total)}`;
    output.progress(total === undefined ? 0 : done / total, `${name}  ${size} MB  ${speed}${left}`);
  };

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
