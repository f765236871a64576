/**
 * A step in two graphs: the gradients of each share of the batch, then one update with their mean. Each replica, a session
 * of its own, computes some of the shares one after the other, while the other replicas compute theirs.
 */
import type { BoundSession } from '#platform';
import { maxThreads, whole } from '../options.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { gradientName, type StateSpec } from './state.ts';
import type { TrainingStep } from './step.ts';

/** The option, for the tables of training and the library. */
export const replicas = whole({
  from: 1,
  to: maxThreads,
  default: 1,
  flag: '--replicas <n>',
  group: 'Optimization',
  doc: 'parts of a batch that a step computes at the same time, each with its share of the threads',
});

export type Buffers = ReadonlyMap<string, Tensor<'float32'>>;

export type Run = () => Promise<void>;

/** A step with the sessions of its graphs. */
export interface Opened {
  readonly step: TrainingStep;
  /** Sessions of the step's first graph. */
  readonly replicas: readonly BoundSession[];
  /** The session of its second graph, if there are two. */
  readonly update?: BoundSession;
}

export interface ShareOptions {
  /** Shares that each replica computes in a step. */
  readonly accumulate: number;
  readonly reduce?: (gradients: Float32Array) => Promise<void>;
}

/**
 * Binds the sessions to the arrays of a whole batch (`input`, `targets`, `logits`, `loss`, masks), to the optimizer's scalars, and
 * to the state, which is overwritten in place.
 */
export function bindShares(
  opened: Opened,
  arrays: Buffers,
  state: Buffers,
  { accumulate, reduce = async () => {} }: ShareOptions,
): Run {
  const { step, replicas, update } = opened;
  const count = replicas.length * accumulate;
  const parameters = step.state.filter(({ role }) => role === 'parameter');
  const gradients = new Gradients(parameters);
  const statistics = statisticsOf(step, state);
  const lanes = replicas.map((session, r) => {
    const own = replicas.length === 1 ? state : withCopies(step.state, state);
    const part = count === 1 ? gradients : new Gradients(parameters);
    const shares = Array.from({ length: accumulate }, (_, k) => shareOf(step, arrays, count, r * accumulate + k));
    const runs = shares.map((share) => bindGraph(session, step, 0, new Map([...share, ...part.views]), own));
    return { runs, part, moved: statisticsOf(step, own), losses: shares.map((share) => share.get('loss')!.data) };
  });
  const finish = bindGraph(update!, step, 1, new Map([...arrays, ...gradients.views]), state);
  return async () => {
    if (count > 1) gradients.all.fill(0);
    for (let k = 0; k < accumulate; k++) {
      if (replicas.length > 1 && k === 0) for (const { moved } of lanes) copyEach(statistics, moved);
      await Promise.all(lanes.map(({ runs }) => runs[k]!()));
      if (count > 1) for (const { part } of lanes) addScaled(gradients.all, part.all, 1 / count);
    }
    if (replicas.length > 1) average(statistics, lanes);
    arrays.get('loss')!.data[0] = lanes.flatMap(({ losses }) => losses).reduce((sum, [loss]) => sum + loss! / count, 0);
    await reduce(gradients.all);
    await finish();
  };
}

/** All gradients in one array, and a view of each. */
class Gradients {
  readonly all: Float32Array;
  readonly views: Buffers;

  constructor(parameters: readonly StateSpec[]) {
    this.all = new Float32Array(parameters.reduce((sum, { length }) => sum + length, 0));
    let start = 0;
    const views = parameters.map(({ name, length }) => {
      const view = tensor('float32', [length], this.all.subarray(start, start + length));
      start += length;
      return [gradientName(name), view] as const;
    });
    this.views = new Map(views);
  }
}

/** Share `index` of `count` of a batch's arrays, as views, and a loss of its own. The rest of the arrays is shared. */
function shareOf({ masks }: TrainingStep, arrays: Buffers, count: number, index: number): Buffers {
  const share = new Map(arrays);
  for (const name of ['input', 'targets', 'logits', ...masks.map((mask) => mask.name)]) {
    const { dims, data } = arrays.get(name)!;
    const size = data.length / count;
    const view = data.subarray(index * size, (index + 1) * size);
    share.set(name, tensor('float32', [dims[0]! / count, ...dims.slice(1)], view));
  }
  return share.set('loss', tensor('float32', []));
}

const statisticsOf = ({ state }: TrainingStep, buffers: Buffers): Vectors =>
  state.filter(({ role }) => role === 'statistic').map(({ name }) => buffers.get(name)!);

/** The state with running statistics of its own. */
const withCopies = (specs: readonly StateSpec[], state: Buffers): Buffers =>
  new Map(
    specs.map(({ name, role, length }) => [
      name,
      role === 'statistic' ? tensor('float32', [length]) : state.get(name)!,
    ]),
  );

/** Binds one of the step's graphs to arrays that are not part of the state, and to the state. */
export function bindGraph(
  session: BoundSession,
  step: TrainingStep,
  index: 0 | 1,
  arrays: Buffers,
  from: Buffers,
  to = from,
): Run {
  const graph = index === 0 ? step.graph : step.update!;
  const next = new Map(step.state.map((spec) => [spec.next, to.get(spec.name)!]));
  const inputs = new Map(graph.inputs.map(({ name }) => [name, arrays.get(name) ?? from.get(name)!]));
  const outputs = new Map(graph.outputs.map(({ name }) => [name, arrays.get(name) ?? next.get(name)!]));
  return session.bind(inputs, outputs);
}

type Vectors = readonly Tensor<'float32'>[];

function copyEach(from: Vectors, to: Vectors): void {
  for (const [i, { data }] of from.entries()) to[i]!.data.set(data);
}

function addScaled(sum: Float32Array, part: Float32Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + part[i]! * factor;
}

/** Makes each statistic the mean of what the replicas have. */
function average(statistics: Vectors, lanes: readonly { readonly moved: Vectors }[]): void {
  for (const [i, { data }] of statistics.entries()) {
    data.fill(0);
    for (const { moved } of lanes) addScaled(data, moved[i]!.data, 1 / lanes.length);
  }
}
