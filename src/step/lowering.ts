/**
 * Chooses the lowering of training steps on this machine. The blocked one needs internal operators of ONNX Runtime, which
 * may change, so it is only used after a small step has given the same numbers in both lowerings, once per process.
 */

import { runOnce, type SessionOptions, thisMachine } from '#platform';
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { lowerBlocked } from '../lower/blocked.ts';
import { lowerStandard } from '../lower/standard.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { relativeDifference, type Tensor, tensor } from '../tensor.ts';
import { optimizerNames, optimizerOf } from './optimizers.ts';
import { weightsOfGroups } from './parameter-groups.ts';
import { trainingStep } from './step.ts';

/** How training steps are lowered: to standard operators for any provider, or to the CPU provider's blocked layout. */
export type Lowering = 'standard' | 'blocked';

export interface ChosenLowering {
  readonly lowering: Lowering;
  /** Why it is not the blocked one; absent if it is, or if the caller asked for the standard one. */
  readonly reason?: string;
  readonly lower: (graph: Graph) => Graph;
  readonly optimization: NonNullable<SessionOptions['optimization']>;
}

const standard = { lowering: 'standard', lower: lowerStandard, optimization: 'all' } as const;

/** WebGPU's max-pool has no indices. */
const onWebGpu = {
  ...standard,
  reason: 'only the CPU has a blocked layout',
  lower: (graph: Graph) => lowerStandard(graph, { poolIndices: false }),
} as const;

let found: Promise<ChosenLowering> | undefined;

/**
 * The fastest lowering for these providers.
 *
 * @param asked chooses a lowering. Default: the fastest.
 * @throws UsageError if `asked` is 'blocked' but this runtime does not support it.
 * @example const { lower } = await chooseLowering({ threads: 2 });
 */
export async function chooseLowering(
  { providers = ['cpu'] }: SessionOptions = {},
  asked?: Lowering,
): Promise<ChosenLowering> {
  if (providers.includes('webgpu') && asked !== 'blocked') return onWebGpu;
  if (asked === 'standard') return standard;
  found ??= findLowering();
  const best = providers.join() === 'cpu' ? await found : { ...standard, reason: 'only the CPU has a blocked layout' };
  if (asked !== undefined && best.lowering !== asked) {
    throw new UsageError(`lowering is "blocked", which does not work here: ${best.reason}. Remove it.`);
  }
  return best;
}

async function findLowering(): Promise<ChosenLowering> {
  const { block } = await thisMachine();
  if (!block) return { ...standard, reason: 'this runtime has no blocked layout' };
  return checkBlocked(block);
}

/** The lowering to blocks of `block` channels, if its results agree with standard operators. */
export const checkBlocked = (block: number): Promise<ChosenLowering> =>
  checkLowering((graph) => lowerBlocked(graph, block));

/** This lowering, if its results agree with standard operators; otherwise the standard one. */
export async function checkLowering(lower: (graph: Graph) => Graph): Promise<ChosenLowering> {
  try {
    const wrong = await disagreement(lower);
    if (!wrong) return { lowering: 'blocked', lower, optimization: 'disabled' };
    return { ...standard, reason: `this runtime's blocked layout gives different results (${wrong})` };
  } catch (error) {
    const { message } = error as Error;
    return { ...standard, reason: `this runtime does not accept graphs in its blocked layout (${message})` };
  }
}

/** Tolerances for rounding. A value that rounding moves across the kink of a ReLU changes gradients by a hundredth. */
const tolerances = { gradient: 5e-2, other: 1e-3 };

/** Describes the first output of a small step that differs between this lowering and the standard one, if any. */
async function disagreement(lower: (graph: Graph) => Graph): Promise<string | undefined> {
  const config = { depths: [1, 1, 1], cardinality: 8, baseWidth: 16, width: 32, classes: 4, inputSize: 32 } as const;
  const model = resnext({ ...config, stem: 'imagenet' });
  const weights = initialWeights(model, 1);
  const frozen = weightsOfGroups(weights, ['layer2']); // covers convolutions with constant weights, biases, ReLU and sums
  const steps = optimizerNames.map((name) => {
    const decayOf = (_: string, isVector: boolean) => (isVector ? 0 : 0.1);
    return trainingStep(model.graph, {
      batch: 2,
      optimizer: optimizerOf(name),
      decayOf,
      frozen,
      average: true,
      split: true,
    });
  });
  const pixels = tensor('float32', [2, 3, 32, 32]);
  pixels.data.forEach((_, i) => {
    pixels.data[i] = Math.sin(i * i); // irregular
  });
  const targets = tensor('float32', [2, 4], Float32Array.of(1, 0, 0, 0, 0, 1, 0, 0));
  const known = new Map<string, Tensor>([...weights, ['input', pixels], ['targets', targets]]);
  for (const graph of [steps[0]!.graph, ...steps.map(({ update }) => update!)]) {
    const feeds = feedsOf(graph, known);
    const run = (lowered: Graph) => runOnce(lowered, feeds, { threads: 1, optimization: 'disabled' });
    const wrong = firstDifference(await run(lower(graph)), await run(lowerStandard(graph)));
    if (wrong) return wrong;
  }
  return undefined;
}

/** The known tensors, and positive numbers for all other inputs: gradients, slots, averages and scalars. */
const feedsOf = (graph: Graph, known: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map(
    graph.inputs.map(({ name, dims }) => {
      const feed = tensor('float32', dims as number[]);
      const contents = known.get(name)?.data as Float32Array | undefined;
      feed.data.set(contents ?? feed.data.map((_, i) => 1.5 + Math.sin(i * i)));
      return [name, feed];
    }),
  );

function firstDifference(
  actual: ReadonlyMap<string, Tensor>,
  expected: ReadonlyMap<string, Tensor>,
): string | undefined {
  for (const [name, contents] of expected) {
    const error = relativeDifference(contents, actual.get(name)!);
    const tolerance = name.endsWith('.gradient') ? tolerances.gradient : tolerances.other;
    if (!(error < tolerance)) return `"${name}" differs by ${error.toExponential(1)}`;
  }
  return undefined;
}
