/** The formats that `resnext export` writes (`resnext` is a folder as `saveModel` writes it), and how they are inferred from the output's name. */
import { statIfPresent } from '../files.ts';
import { byEnding } from '../output/endings.ts';

export const exportFormats = ['onnx', 'safetensors', 'transformers', 'resnext'] as const;
export type ExportFormat = (typeof exportFormats)[number];

const formats: Readonly<Record<string, ExportFormat>> = {
  '.onnx': 'onnx',
  '.safetensors': 'safetensors',
  '': 'transformers',
};

/**
 * Infers the format from the ending of a file. Anything without one is a folder.
 *
 * @throws UsageError if the ending is unknown.
 */
export function formatOf(target: string): ExportFormat {
  const isFolder = target.endsWith('/') || statIfPresent(target)?.isDirectory();
  if (isFolder) return 'transformers';
  return byEnding(
    target,
    formats,
    'Rename it, name a folder (for transformers.js), or choose the format with --format.',
  );
}
