/** The formats that `resnext export` writes, and how they are inferred from the output's name. */
import { extname } from 'node:path';
import { UsageError } from '../errors.ts';
import { statIfPresent } from '../files.ts';

export const exportFormats = ['onnx', 'safetensors', 'transformers'] as const;
export type ExportFormat = (typeof exportFormats)[number];

const byEnding: Readonly<Record<string, ExportFormat>> = {
  '.onnx': 'onnx',
  '.safetensors': 'safetensors',
  '': 'transformers',
};

/**
 * Infers the format from the extension of a file. Anything without an extension is a folder.
 *
 * @throws UsageError if the extension is unknown.
 */
export function formatOf(target: string): ExportFormat {
  const isFolder = target.endsWith('/') || statIfPresent(target)?.isDirectory();
  const format = byEnding[isFolder ? '' : extname(target)];
  if (format) return format;
  throw new UsageError(
    `The format of "${target}" is unknown. Use a name that ends in .onnx or .safetensors, a folder (for transformers.js), or --format.`,
  );
}
