/**
 * Resolves a model that was typed: a path, the name of published weights, a repository on the hub, or a URL. Commands
 * that also accept new networks take a variant's name, even if there are published weights with that name.
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
import { canPull } from '../hub/names.ts';
import { resolveModel } from '../hub/resolve.ts';
import { parseJson } from '../json.ts';
import { variant } from '../model/variants.ts';
import { duration } from '../output/text.ts';
import type { ModelOptions } from './options.ts';
import type { Output } from './output.ts';

/** Opens the model of `--model` and prints notes on it to standard error. */
export async function openClassifier(options: ModelOptions, output: Output): Promise<Classifier> {
  const { model, threads, workers, size, resize, interpolation, verify } = options;
  const preprocessing: Partial<Preprocessing> = {
    ...(size !== undefined && { size }),
    ...(resize !== undefined && { resize }),
    ...(interpolation !== undefined && { interpolation }),
  };
  const classifier = await load(model, {
    verify,
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

/** Whether the numbers are those from 0 to the last class, each once. */
const isNumbering = (numbers: Readonly<Record<string, number>>): boolean =>
  Object.values(numbers)
    .sort((a, b) => a - b)
    .every((number, k) => number === k);

const labelsSchema = z.union([z.array(z.string()).min(1), z.record(z.string(), z.number()).refine(isNumbering)]);

/** Reads class names: one per line, or in JSON a list or torchvision's `class_to_idx`. */
async function readLabels(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw refusal('read', path, cause);
  });
  if (!/^\s*[[{]/.test(text)) return text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const { data } = labelsSchema.safeParse(parseJson(text, `"${path}"`));
  if (!data) {
    throw new UsageError(
      `The file of labels "${path}" should contain one name per line, or JSON: a list of names, or an object from names to numbers from 0 on.`,
    );
  }
  return Array.isArray(data) ? data : Object.keys(data).sort((a, b) => data[a]! - data[b]!);
}

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
