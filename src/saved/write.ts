/** Models as bytes, in any environment: the files that a run folder and an export have. */
import { checkArgument } from '../arguments.ts';
import type { Graph } from '../graph/graph.ts';
import { resnext } from '../model/resnext.ts';
import { checkFiniteWeights, stateDict } from '../model/weights.ts';
import { writeOnnx } from '../onnx/write.ts';
import { oneOf } from '../options.ts';
import type { OwnBytes } from '../tensor.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { descriptionKey, weightsMetadata, writeDescription, writeModelJson } from './description.ts';
import { ownWeights } from './external.ts';
import { type SavedModel, savedModelKind } from './model.ts';
import { addWrappers, type Wrapper } from './wrappers.ts';

const modelFormats = ['safetensors', 'onnx', 'json'] as const;

/** `model.safetensors` in torchvision's names, an ONNX file, or `model.json`. */
export type ModelFormat = (typeof modelFormats)[number];

const formatKind = oneOf(modelFormats, { doc: 'format of the file' });

const writers: { readonly [F in ModelFormat]: (model: SavedModel) => OwnBytes } = {
  safetensors: (model) =>
    writeSafetensors(
      stateDict(resnext(model.description.config), ownWeights(model)),
      weightsMetadata(model.description),
    ),
  onnx: (model) => writeOnnx(describedGraph(model, [])),
  json: (model) => new TextEncoder().encode(writeModelJson(model.description)),
};

/**
 * Writes a model as the bytes of a file. `readModel` reads all but `model.json`, which describes the weights beside it.
 *
 * @throws UsageError if the model has no separate weights (for safetensors), or broken ones (NaN, infinite).
 * @example new Blob([writeModel({ description, graph: model.graph, weights: trainer.weights }, 'safetensors')])
 */
export function writeModel(model: SavedModel, format: ModelFormat): OwnBytes {
  checkArgument('model', model, savedModelKind);
  checkArgument('format', format, formatKind);
  return writers[format](model);
}

/** A copy of the model's graph with these wrappers, and a description that lists them. */
export function describedGraph({ description, graph }: SavedModel, wrappers: readonly Wrapper[]): Graph {
  checkFiniteWeights([...graph.initializers].map(({ name, tensor }) => [name, tensor]));
  const { graph: copy } = graph.clone();
  addWrappers(copy, description.preprocessing, wrappers);
  const text = writeDescription(wrappers.length > 0 ? { ...description, wrappers } : description);
  copy.metadata.set(descriptionKey, text);
  return copy;
}
