/**
 * Which lowering a training step takes on this machine. The blocked one needs operators that ONNX Runtime keeps for
 * itself and may change, so it is trusted only after a small step has given the same numbers both ways, once per process.
 */
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { lowerBlocked } from '../lower/blocked.ts';
import { lowerStandard } from '../lower/standard.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { setWeights } from '../model/weights.ts';
import { thisMachine } from '../runtime/machine.ts';
import { Session, type SessionOptions } from '../runtime/session.ts';
import { elements, type Tensor, tensor } from '../tensor.ts';
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

/** Whether blocks of so many channels give what standard operators give. */
export async function judged(block: number): Promise<Lowering> {
  try {
    const lower = (step: Graph): Graph => lowerBlocked(step, block);
    const error = await disagreement(lower);
    if (error < tolerance) return { layout: 'blocked', lower, optimization: 'disabled' };
    return {
      ...standard,
      reason: `this runtime's blocked layout computes something else (off by ${error.toExponential(1)})`,
    };
  } catch (error) {
    return {
      ...standard,
      reason: `this runtime does not take graphs in its blocked layout (${(error as Error).message})`,
    };
  }
}

/** Beyond rounding, which is some millionths here. */
const tolerance = 1e-3;

/** The largest relative difference of any output of a small step that uses every rule, lowered this way and as standard. */
async function disagreement(lower: (step: Graph) => Graph): Promise<number> {
  const config = { depths: [1, 1], cardinality: 8, baseWidth: 16, width: 32, classes: 4, inputSize: 32 } as const;
  const model = resnext({ ...config, stem: 'imagenet' });
  setWeights(model, initialWeights(model, 1));
  const options = { batch: 2, momentum: 0.9, nesterov: true, weightDecay: 1e-3 };
  const { graph } = trainingStep(model.graph, options);
  const feeds = new Map(graph.inputs.map(({ name, dims }) => [name, wave(dims as number[])]));
  const [expected, actual] = [await runOnce(lowerStandard(graph), feeds), await runOnce(lower(graph), feeds)];
  return Math.max(...graph.outputs.map(({ name }) => distance(actual.get(name)!, expected.get(name)!)));
}

async function runOnce(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await Session.open(graph, { threads: 1, optimization: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

/** Numbers between 0 and 1 without a pattern. */
const wave = (dims: readonly number[]): Tensor =>
  tensor(
    'float32',
    dims,
    Float32Array.from({ length: elements(dims) }, (_, i) => (1 + Math.sin(i * i)) / 2),
  );

/** ||actual − expected|| / ||expected||; infinite where a number is not finite. */
function distance({ data: actual }: Tensor, { data: expected }: Tensor): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (Number(actual[i]) - Number(expected[i])) ** 2;
    size += Number(expected[i]) ** 2;
  }
  return Number.isFinite(difference)
    ? Math.sqrt(difference / Math.max(size, Number.MIN_VALUE))
    : Number.POSITIVE_INFINITY;
}
