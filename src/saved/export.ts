/**
 * A model as one ONNX file for other programs: `input` [N, C, H, W] → `logits` [N, K], for as many images N at a time
 * as there are; or with the preparation of pixels and the softmax built in (`wrappers.ts`). The file carries the model's
 * description, so that this package opens it again.
 */
import { dirname } from 'node:path';
import { makeFolder } from '../files.ts';
import type { Graph } from '../graph/graph.ts';
import { inferShapes } from '../graph/shapes.ts';
import { writeOnnxFile } from '../onnx/files.ts';
import { descriptionKey, writeDescription } from './description.ts';
import type { SavedModel } from './model.ts';
import { addWrappers, type Wrapper } from './wrappers.ts';

export interface ExportOnnxOptions {
  /**
   * The input is `pixels`, uint8 [N, H, W, C]: images as they are decoded, of the net's size, bytes from 0 to 255 in
   * rows from the top, RGB or grayscale. Without it the input is `input`, float32 [N, C, H, W], scaled to [0, 1], less the
   * mean, through the standard deviation.
   */
  readonly normalize?: boolean;
  /** The output is `probabilities` [N, K], which add up to 1, in place of `logits` [N, K]. */
  readonly softmax?: boolean;
  /** Height and width of the input are left open. The network ends in a global average pool, so that any size fits. */
  readonly dynamicSize?: boolean;
}

/** What height and width are called in an ONNX file that leaves them open. */
export const freeSize = ['H', 'W'] as const;

/**
 * Writes an ONNX file that carries its description, as JSON under the metadata key `resnext`.
 *
 * @throws UsageError when the graph has no weights, softmax is asked of a net without classes, or the file system refuses.
 * @example await exportOnnx('flowers.onnx', await loadModel('runs/flowers'), { normalize: true, softmax: true });
 */
export async function exportOnnx(path: string, model: SavedModel, options: ExportOnnxOptions = {}): Promise<void> {
  const { normalize = false, softmax = false, dynamicSize = false } = options;
  const wrappers: Wrapper[] = [...(normalize ? ['normalize' as const] : []), ...(softmax ? ['softmax' as const] : [])];
  const graph = describedGraph(dynamicSize ? withFreeSize(model) : model, wrappers);
  await makeFolder(dirname(path));
  await writeOnnxFile(path, graph);
}

function withFreeSize(model: SavedModel): SavedModel {
  const { graph } = model.graph.clone();
  const [input] = graph.inputs;
  if (input?.dims) input.dims = [...input.dims.slice(0, 2), ...freeSize];
  inferShapes(graph);
  return { ...model, graph };
}

/** A copy of the model's graph with what is named built in, which says so. */
export function describedGraph({ description, graph }: SavedModel, wrappers: readonly Wrapper[]): Graph {
  const { graph: copy } = graph.clone();
  addWrappers(copy, description.preprocessing, wrappers);
  const text = writeDescription(wrappers.length > 0 ? { ...description, wrappers } : description);
  copy.metadata.set(descriptionKey, text);
  return copy;
}
