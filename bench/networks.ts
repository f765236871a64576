/** The networks in the benchmarks, with their cost per image. */
import type { ResNeXtConfig } from 'resnext';

export interface Network {
  readonly name: string;
  readonly config: ResNeXtConfig;
  readonly parameters: number;
  /** Multiply-adds of the forward pass per image. */
  readonly macs: number;
}

/** Imports the package dynamically, so that a benchmark can report that it is not built. */
export async function network(name: string): Promise<Network> {
  const { cost } = await import('resnext/graph');
  const { resnext, variant } = await import('resnext');
  const model = resnext(variant(name));
  const { parameters, macs } = cost(model.graph);
  return { name, config: model.config, parameters, macs };
}

/** Two operations per multiply-add. The backward pass computes two gradients, each at the cost of the forward pass. */
export const operationsOf = ({ macs }: Network, batch: number, task: 'train' | 'infer'): number =>
  2 * macs * batch * (task === 'train' ? 3 : 1);
