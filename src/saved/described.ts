/**
 * Compares the network that a description in a file asks for with what else is in the file, before anything is built:
 * the description takes a few bytes, and what it asks for may take any time and memory.
 */
import { FormatError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import { blocksOf, leastTensors } from '../model/limits.ts';
import { resnext } from '../model/resnext.ts';
import { weightSpecs } from '../model/weights.ts';

/**
 * Whether there can be weights for every block.
 *
 * @throws FormatError if there are fewer tensors than the blocks have in any form.
 */
export function checkTensorCount(config: ResNeXtConfig, count: number, source: string): void {
  const least = leastTensors({ ...config, form: 'C' });
  if (count >= least) return;
  throw new FormatError(
    `${source} has ${count} tensors, but the network in its description has at least ${least} of them.`,
  );
}

type Shapes = ReadonlyMap<string, { readonly dims: readonly number[] }>;

/**
 * Whether form C weights are those of the network. They have as many filters as the network has branches, so weights
 * that pass are as large as the network in any form.
 *
 * @throws FormatError naming a tensor that is missing or has another shape.
 */
export function checkShapes(config: ResNeXtConfig, weights: Shapes, source: string): void {
  for (const { name, dims } of weightSpecs(resnext({ ...config, form: 'C' }))) {
    const found = weights.get(name)?.dims;
    if (`${found}` === `${dims}`) continue;
    throw new FormatError(
      `${source}: "${name}" is ${found ? `[${found}]` : 'missing'}, but the network in the file's description needs it as [${dims}].`,
    );
  }
}

/**
 * Whether a graph can contain every block. Whatever was folded or merged, each still has three convolutions.
 *
 * @throws FormatError if there are fewer nodes.
 */
export function checkNodeCount(config: ResNeXtConfig, { nodes }: Graph, source: string): void {
  const least = 3 * blocksOf(config);
  if (nodes.size >= least) return;
  throw new FormatError(
    `${source} has ${nodes.size} nodes, but the network in its description has at least ${least} of them.`,
  );
}
