/**
 * Exports a model as one ONNX file for other programs: `input` [N, C, H, W] → `logits` [N, K] for any batch size N,
 * optionally with normalization and softmax in the graph (`wrappers.ts`). The file contains the model's description, so
 * this package can open it again.
 */
import { checkArgument, checkOptions, type FieldsOf, path as pathKind } from '../arguments.ts';
import { writeOnnxFile } from '../onnx/files.ts';
import { flag } from '../options.ts';
import { type SavedModel, savedModelKind, withFreeSize } from './model.ts';
import type { Wrapper } from './wrappers.ts';
import { describedGraph } from './write.ts';

/** What an exported graph takes and returns. */
export interface ExportOnnxOptions {
  /**
   * Take `pixels`, uint8 [N, H, W, C]: decoded images of the network's input size, bytes from 0 to 255, rows from top
   * to bottom, RGB or grayscale. Without this option the input is `input`, float32 [N, C, H, W]: scaled to [0, 1],
   * minus the mean, divided by the standard deviation.
   */
  readonly normalize?: boolean;
  /** Return `probabilities` [N, K], which sum to 1, instead of `logits` [N, K]. */
  readonly softmax?: boolean;
  /** Height and width of the input are left open. The network ends in a global average pool, so that any size fits. */
  readonly dynamicSize?: boolean;
}

const fields: FieldsOf<ExportOnnxOptions> = {
  normalize: flag({ doc: 'take pixels' }),
  softmax: flag({ doc: 'return probabilities' }),
  dynamicSize: flag({ doc: 'leave height and width open' }),
};

/**
 * Writes an ONNX file with its description as JSON under the metadata key `resnext`.
 *
 * @throws UsageError if the graph has no weights or broken ones (NaN, infinite), there are no classes for the softmax, or
 *   the file cannot be written.
 * @example await exportOnnx('flowers.onnx', await loadModel('runs/flowers'), { normalize: true, softmax: true });
 */
export async function exportOnnx(path: string, model: SavedModel, options: ExportOnnxOptions = {}): Promise<void> {
  checkArgument('path', path, pathKind);
  checkArgument('model', model, savedModelKind);
  checkOptions(fields, options);
  const { normalize = false, softmax = false, dynamicSize = false } = options;
  const wrappers: Wrapper[] = [...(normalize ? ['normalize' as const] : []), ...(softmax ? ['softmax' as const] : [])];
  const graph = describedGraph(dynamicSize ? withFreeSize(model) : model, wrappers);
  await writeOnnxFile(path, graph);
}
