/** What `resnext export` can write, and how a target says which of it is meant. */
import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { UsageError } from '../errors.ts';

export const exportFormats = ['onnx', 'safetensors', 'transformers'] as const;
export type ExportFormat = (typeof exportFormats)[number];

const byEnding: Readonly<Record<string, ExportFormat>> = {
  '.onnx': 'onnx',
  '.safetensors': 'safetensors',
  '': 'transformers',
};

/**
 * The format of a target: by its ending, a folder's being none.
 *
 * @throws UsageError when the ending is of no format.
 */
export function formatOf(target: string): ExportFormat {
  const isFolder = target.endsWith('/') || statSync(target, { throwIfNoEntry: false })?.isDirectory();
  const format = byEnding[isFolder ? '' : extname(target)];
  if (format) return format;
  const remedy = 'End it in .onnx or .safetensors, name a folder for transformers.js, or say --format';
  throw new UsageError(`"${target}" does not tell what to write. ${remedy}.`);
}
