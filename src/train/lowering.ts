/**
 * Which lowering a training step takes on this machine. The blocked one needs operators that ONNX Runtime keeps for
 * itself and may change, so it is trusted only after a small step has given the same numbers both ways, once per process.
 */

import { runOnce, type SessionOptions, thisMachine } from '#platform';
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { lowerBlocked } from '../lower/blocked.ts';
import { lowerStandard } from '../lower/standard.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { weightsOfParts } from './parts.ts';
import { trainingStep } from './step.ts';

/** How training steps are lowered: for any provider, or for the CPU provider's own layout. */
export type Layout = 'standard' | 'blocked';

export interface Lowering {
  readonly layout: Layout;
  /** Why it is not the blocked one, in a sentence; absent where it is, or was not wanted. */
  readonly reason?: string;
  readonly lower: (step: Graph) => Graph;
  readonly optimization: NonNullable<SessionOptions['optimization']>;
}

const standard = { layout: 'standard', lower: lowerStandard, optimization: 'all' } as const;

let found: Promise<Lowering> | undefined;

/**
 * The lowering that steps on these providers run fastest with.
 *
 * @param layout takes one without looking; 'blocked' where it does not work is refused.
 * @throws UsageError when the blocked layout is demanded and this runtime does not have it.
 * @example const { lower } = await lowering({ threads: 2 });
 */
export async function lowering({ providers = ['cpu'] }: SessionOptions = {}, layout?: Layout): Promise<Lowering> {
  if (layout === 'standard') return standard;
  found ??= findLowering();
  const best = providers.join() === 'cpu' ? await found : { ...standard, reason: 'only the CPU has a blocked layout' };
  if (layout !== undefined && best.layout !== layout) {
    throw new UsageError(`The blocked layout does not work here: ${best.reason}. Leave the layout open.`);
  }
  return best;
}

async function findLowering(): Promise<Lowering> {
  const { block } = await thisMachine();
  if (!block) return { ...standard, reason: 'this runtime has no blocked layout' };
  return judged(block);
}

/** The lowering to blocks of so many channels, if it gives what standard operators give. */
export const judged = (block: number): Promise<Lowering> => judge((step) => lowerBlocked(step, block));

/** This lowering, if it gives what standard operators give, and else the standard one. */
export async function judge(lower: (step: Graph) => Graph): Promise<Lowering> {
  try {
    const wrong = await disagreement(lower);
    if (!wrong) return { layout: 'blocked', lower, optimization: 'disabled' };
    return { ...standard, reason: `this runtime's blocked layout computes something else (${wrong})` };
  } catch (error) {
    const { message } = error as Error;
    return { ...standard, reason: `this runtime does not take graphs in its blocked layout (${message})` };
  }
}

/**
 * How far rounding may take each kind of output. A velocity, which is zero before the step and without weight decay, is
 * the gradient after it: there a value that rounding moves over a ReLU's kink counts for a hundredth.
 */
const tolerances = { gradient: 5e-2, other: 1e-3 };

/** The first output of a small step that comes out differently lowered this way and as standard, and by how much. */
async function disagreement(lower: (step: Graph) => Graph): Promise<string | undefined> {
  const config = { depths: [1, 1, 1], cardinality: 8, baseWidth: 16, width: 32, classes: 4, inputSize: 32 } as const;
  const model = resnext({ ...config, stem: 'imagenet' });
  const weights = initialWeights(model, 1);
  const frozen = weightsOfParts(weights, ['layer2']); // its convolutions have constant weights, biases, ReLU and sums
  const { graph } = trainingStep(model.graph, { batch: 2, momentum: 0.9, nesterov: true, weightDecay: 0, frozen });
  const feeds = new Map(graph.inputs.map(({ name, dims }) => [name, tensor('float32', dims as number[])]));
  for (const [name, { data }] of weights) feeds.get(name)?.data.set(data as Float32Array);
  feeds.get('input')!.data.forEach((_, i, pixels) => {
    pixels[i] = Math.sin(i * i); // without a pattern
  });
  feeds.get('targets')!.data.set([1, 0, 0, 0, 0, 1, 0, 0]);
  feeds.get('learningRate')!.data.fill(0.1);
  const run = (step: Graph) => runOnce(step, feeds, { threads: 1, optimization: 'disabled' });
  const [expected, actual] = [await run(lowerStandard(graph)), await run(lower(graph))];
  for (const { name } of graph.outputs) {
    const error = distance(actual.get(name)!, expected.get(name)!);
    const tolerance = name.endsWith('.velocity.next') ? tolerances.gradient : tolerances.other;
    if (!(error < tolerance)) return `"${name}" is off by ${error.toExponential(1)}`;
  }
  return undefined;
}

/** ||actual − expected|| / ||expected||; not a number where one of them has such. */
function distance({ data: actual }: Tensor, { data: expected }: Tensor): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (Number(actual[i]) - Number(expected[i])) ** 2;
    size += Number(expected[i]) ** 2;
  }
  return Math.sqrt(difference / Math.max(size, Number.MIN_VALUE));
}
