/** The nets that are trained and run in the benches, with what one image costs them. */
import type { ResNeXtConfig } from 'resnext';

export interface Net {
  readonly name: string;
  readonly config: ResNeXtConfig;
  readonly parameters: number;
  /** Multiply-adds of one image, forward. */
  readonly macs: number;
}

/** The package is imported here and not above, so that a bench can say that it is not built. */
export async function net(name: string): Promise<Net> {
  const { cost } = await import('resnext/graph');
  const { resnext, variant } = await import('resnext');
  const model = resnext(variant(name));
  const { parameters, macs } = cost(model.graph);
  return { name, config: model.config, parameters, macs };
}

/** A multiplication and an addition each; backward computes two gradients of the size of the forward pass. */
export const operationsOf = ({ macs }: Net, batch: number, task: 'train' | 'infer'): number =>
  2 * macs * batch * (task === 'train' ? 3 : 1);
