/**
 * A model as one ONNX file for other programs: `input` [N, C, H, W] → `logits` [N, K], for as many pictures N at a time
 * as there are; or with the preparation of pixels and the softmax built in (`built-in.ts`). The file carries the model's
 * description, so that this package opens it again.
 */
import { dirname } from 'node:path';
import { makeFolder } from '../files.ts';
import type { Graph } from '../graph/graph.ts';
import { writeOnnxFile } from '../onnx/files.ts';
import { type BuiltIn, buildIn } from './built-in.ts';
import { descriptionKey, writeDescription } from './description.ts';
import type { SavedModel } from './files.ts';

export interface ExportOnnxOptions {
  /**
   * The input is `pixels`, uint8 [N, H, W, C]: pictures as they are decoded, of the net's size, bytes from 0 to 255 in
   * rows from the top, RGB or grey. Without it the input is `input`, float32 [N, C, H, W], scaled to [0, 1], less the
   * mean, through the standard deviation.
   */
  readonly normalise?: boolean;
  /** The output is `probabilities` [N, K], which add up to 1, in place of `logits` [N, K]. */
  readonly softmax?: boolean;
}

/**
 * Writes an ONNX file that carries its description, as JSON under the metadata key `resnext`.
 *
 * @throws UsageError when the graph has no weights, softmax is asked of a net without classes, or the file system refuses.
 * @example await exportOnnx('flowers.onnx', await loadModel('runs/flowers'), { normalise: true, softmax: true });
 */
export async function exportOnnx(path: string, model: SavedModel, options: ExportOnnxOptions = {}): Promise<void> {
  const { normalise = false, softmax = false } = options;
  const builtIn: BuiltIn[] = [...(normalise ? ['normalise' as const] : []), ...(softmax ? ['softmax' as const] : [])];
  const graph = describedGraph(model, builtIn);
  await makeFolder(dirname(path));
  await writeOnnxFile(path, graph);
}

/** A copy of the model's graph with what is named built in, which says so. */
export function describedGraph({ description, graph }: SavedModel, builtIn: readonly BuiltIn[]): Graph {
  const { graph: copy } = graph.clone();
  buildIn(copy, description.preprocessing, builtIn);
  const text = writeDescription(builtIn.length > 0 ? { ...description, builtIn } : description);
  copy.metadata.set(descriptionKey, text);
  return copy;
}
