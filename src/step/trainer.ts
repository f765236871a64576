/**
 * A model in training: the session that runs its step, and the state that goes from step to step. Parameters have two
 * sets of arrays; a step reads one and writes the other, and the next goes the other way, so nothing is copied. All other
 * state is written over itself: only its own update reads it, before it writes.
 *
 * With `reduce` the step is two graphs with the gradients in between, and then parameters are written over themselves too.
 */

import { type BoundSession, openBound, type SessionOptions } from '#platform';
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../model/resnext.ts';
import { checkWeights, countNames, gatherWeights, scatterWeights, type Weights } from '../model/weights.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { chooseLowering, type Lowering } from './lowering.ts';
import { type BoundOptimizer, bindOptimizer } from './optimizers.ts';
import { frozenGroups, groupOf, head, weightsOfGroups } from './parameter-groups.ts';
import { averageName, gradientName, type StateSpec, slotName } from './state.ts';
import { type StepOptions, type TrainingStep, trainingStep } from './step.ts';

type Buffers = ReadonlyMap<string, Tensor<'float32'>>;

export interface TrainerOptions
  extends Omit<StepOptions, 'frozen' | 'rateOf' | 'split'>,
    Pick<SessionOptions, 'threads' | 'providers' | 'wasmPaths'> {
  /** Parameter groups to freeze, such as `stem` and `layer1`, or `backbone`; none unless given. */
  readonly freeze?: readonly string[];
  /** The factor on the learning rate of everything but the classifier; 1 unless given. */
  readonly backboneRate?: number;
  /** Overrides the choice of `chooseLowering`. */
  readonly lowering?: Lowering;
  /**
   * Called in every step between gradients and update, with all gradients one after the other; the update uses what it
   * leaves there, such as the mean over several machines.
   */
  readonly reduce?: (gradients: Float32Array) => Promise<void>;
}

/** Everything that a step changes, in form C. */
export interface TrainerState {
  readonly weights: Weights;
  /** By the names of the optimizer's slots. A tensor that is missing is zero. */
  readonly slots: ReadonlyMap<string, Weights>;
  /** A tensor that is missing starts as the weight's current value. */
  readonly average: Weights;
  /** Updates so far. */
  readonly steps: number;
}

export class Trainer {
  /** The batch that the next step trains on, normalized: [B, C, H, W]. Write into it. */
  readonly images: Float32Array;
  /** The probabilities that it should give: [B, K]. Write into it. */
  readonly targets: Float32Array;
  /** The last step's loss is `loss[0]`, measured before its update. */
  readonly loss: Float32Array;
  /** The last step's logits: [B, K]. */
  readonly logits: Float32Array;
  readonly #model: Model;
  readonly #sessions: readonly BoundSession[];
  readonly #optimizer: BoundOptimizer;
  readonly #scalars: Buffers;
  readonly #state: readonly StateSpec[];
  /** The set that holds the current state comes first. */
  readonly #buffers: [Buffers, Buffers];
  /** From the first set to the second, and back. */
  readonly #runs: [Run, Run];
  readonly #still: Still;
  #steps = 0;
  #condition: Condition = 'ready';

  private constructor(model: Model, opened: Opened, still: Still, { optimizer, reduce }: TrainerOptions) {
    const { step, sessions } = opened;
    this.#model = model;
    this.#sessions = sessions;
    this.#still = still;
    this.#optimizer = bindOptimizer(optimizer);
    this.#state = step.state;
    const batch = arraysOf(step.graph, ['input', 'targets', 'loss', 'logits']);
    const [images, targets, loss, logits] = [...batch.values()].map(({ data }) => data);
    this.images = images!;
    this.targets = targets!;
    this.loss = loss!;
    this.logits = logits!;
    this.#scalars = arraysOf(step.update ?? step.graph, ['learningRate', ...Object.keys(this.#optimizer.scalars(1))]);
    const shared = new Map([...batch, ...this.#scalars]);
    const first = emptyBuffers(step.state);
    if (reduce) {
      this.#buffers = [first, first];
      const run = bindSplit(opened, shared, first, reduce);
      this.#runs = [run, run];
    } else {
      const second = emptyBuffers(step.state, first);
      this.#buffers = [first, second];
      this.#runs = [bind(opened, 0, shared, first, second), bind(opened, 0, shared, second, first)];
    }
  }

  /**
   * Opens the model's training step on ONNX Runtime; `dispose` frees it.
   *
   * @param weights the start, in form C.
   * @param state what else training goes on from, in form C; a start unless given.
   * @throws UsageError when weights or state do not fit the model, or it does not have a group that should be frozen.
   * @example
   * const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;
   * const trainer = await Trainer.open(model, initialWeights(model, 1), { batch: 32, optimizer });
   */
  static async open(
    model: Model,
    weights: Weights,
    options: TrainerOptions,
    state: Partial<TrainerState> = {},
  ): Promise<Trainer> {
    checkWeights(model, weights);
    const { freeze = [], backboneRate = 1, reduce, ...rest } = options;
    const frozen = weightsOfGroups(weights, frozenGroups(freeze, model.config));
    const still = {
      parameters: scatterWeights(model, frozen),
      counts: new Map(countNames(model).flatMap((name) => (frozen.has(name) ? [[name, frozen.get(name)!]] : []))),
    };
    const rateOf = (name: string) => (groupOf(name) === head ? 1 : backboneRate);
    const step = trainingStep(model.graph, { ...rest, frozen: still.parameters, rateOf, split: reduce !== undefined });
    const { lower, optimization } = await chooseLowering(options, options.lowering);
    const graphs = [step.graph, ...(step.update ? [step.update] : [])];
    const sessions: BoundSession[] = [];
    try {
      for (const graph of graphs) sessions.push(await openBound(lower(graph), { ...options, optimization }));
      const trainer = new Trainer(model, { step, sessions }, still, options);
      trainer.setState({ ...state, weights });
      return trainer;
    } catch (error) {
      await disposeOf(sessions);
      throw error;
    }
  }

  /**
   * Trains on `images` and `targets` once; `loss` and `logits` then hold the results. Until then none of them may be
   * touched.
   *
   * @throws UsageError while another step is under way, and after one that failed until `setState`.
   */
  async step(learningRate: number): Promise<void> {
    this.#checkReady();
    const scalars = { learningRate, ...this.#optimizer.scalars(this.#steps + 1) };
    for (const [name, value] of Object.entries(scalars)) this.#scalars.get(name)!.data[0] = value;
    this.#condition = 'stepping';
    try {
      await this.#runs[0]();
    } catch (error) {
      this.#condition = 'broken'; // a step that fails has perhaps changed some of the state
      throw error;
    }
    this.#condition = 'ready';
    this.#steps += 1;
    this.#runs.reverse();
    this.#buffers.reverse();
  }

  /** The weights and running statistics as they are now, copied, in form C. */
  get weights(): Map<string, Tensor> {
    return this.#whole((name) => name);
  }

  /** The average of the weights and running statistics, copied, in form C; empty unless one is kept. */
  get average(): Map<string, Tensor> {
    return this.#state.some(({ role }) => role === 'average') ? this.#whole(averageName) : new Map();
  }

  /** The optimizer's slots, copied, in form C, each under its parameters' names. */
  get slots(): Map<string, Weights> {
    return new Map(this.#optimizer.slots.map((slot) => [slot, this.#gather((name) => slotName(name, slot))]));
  }

  /** Updates so far. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Goes on from this state. Frozen parameters stay as they are.
   *
   * @throws UsageError while a step is under way, or when the state does not fit the model.
   */
  setState({ weights, slots = new Map(), average = new Map(), steps = 0 }: StateToSet): void {
    if (this.#condition === 'stepping') throw new UsageError(conditions.stepping);
    for (const part of [weights, average, ...slots.values()]) checkWeights(this.#model, new Map([...weights, ...part]));
    const current = this.#buffers[0];
    this.#condition = 'ready';
    this.#steps = steps;
    for (const { name, role } of this.#state) if (role === 'slot') current.get(name)!.data.fill(0);
    const put = (contents: Weights, nameOf: (parameter: string) => string) => {
      for (const [name, part] of scatterWeights(this.#model, contents)) {
        current.get(nameOf(name))?.data.set(part.data as Float32Array);
      }
    };
    put(weights, (name) => name);
    put(new Map([...weights, ...average]), averageName);
    for (const [slot, contents] of slots) put(contents, (name) => slotName(name, slot));
  }

  /** Frees the sessions. The trainer cannot be used afterwards. */
  async dispose(): Promise<void> {
    await disposeOf(this.#sessions);
  }

  #checkReady(): void {
    if (this.#condition !== 'ready') throw new UsageError(conditions[this.#condition]);
  }

  /** What the state holds under the names, with the frozen parameters as they are. */
  #whole(nameOf: (parameter: string) => string): Map<string, Tensor> {
    return new Map([...this.#gather(nameOf, this.#still.parameters), ...this.#still.counts]);
  }

  #gather(nameOf: (parameter: string) => string, still: Weights = new Map()): Map<string, Tensor> {
    this.#checkReady();
    const current = this.#buffers[0];
    return gatherWeights(this.#model, ({ value: { name, dims } }) => {
      const flat = current.get(nameOf(name));
      return still.get(name) ?? (flat && tensor('float32', dims as number[], flat.data.slice()));
    });
  }
}

type Run = () => Promise<void>;

type Condition = 'ready' | keyof typeof conditions;

/** Why the state is not to be had. */
const conditions = {
  stepping: 'A step is under way; wait for it.',
  broken: 'A step has failed, perhaps half-way; set the state to go on from.',
};

const disposeOf = (sessions: readonly BoundSession[]): Promise<unknown> =>
  Promise.all(sessions.map((session) => session.dispose()));

type StateToSet = Partial<TrainerState> & Pick<TrainerState, 'weights'>;

/** What no step changes: frozen parameters and statistics by name, and the counts of batches of frozen normalizations. */
interface Still {
  readonly parameters: Weights;
  readonly counts: Weights;
}

/** A step with a session for each of its graphs. */
interface Opened {
  readonly step: TrainingStep;
  readonly sessions: readonly BoundSession[];
}

/** Arrays for inputs and outputs of a graph. */
function arraysOf(graph: Graph, names: readonly string[]): Buffers {
  const values = [...graph.inputs, ...graph.outputs];
  return new Map(
    names.map((name) => {
      const { dims } = values.find((value) => value.name === name)!;
      return [name, tensor('float32', dims as number[])];
    }),
  );
}

/** Arrays for the state; all but the parameters are `shared`'s where it is given. */
function emptyBuffers(state: readonly StateSpec[], shared?: Buffers): Buffers {
  const array = ({ name, length, role }: StateSpec) =>
    (role !== 'parameter' && shared?.get(name)) || tensor('float32', [length]);
  return new Map(state.map((spec) => [spec.name, array(spec)]));
}

/** Binds one of the step's graphs to `shared` and to the state, which it reads from one set and writes to another. */
function bind({ step, sessions }: Opened, index: 0 | 1, shared: Buffers, from: Buffers, to: Buffers): Run {
  const graph = index === 0 ? step.graph : step.update!;
  const next = new Map(step.state.map((spec) => [spec.next, to.get(spec.name)!]));
  const inputs = new Map(graph.inputs.map(({ name }) => [name, shared.get(name) ?? from.get(name)!]));
  const outputs = new Map(graph.outputs.map(({ name }) => [name, shared.get(name) ?? next.get(name)!]));
  return sessions[index]!.bind(inputs, outputs);
}

/** Gradients, `reduce`, update: all gradients are views of one array, and the state is written over itself. */
function bindSplit(
  opened: Opened,
  shared: Buffers,
  state: Buffers,
  reduce: (gradients: Float32Array) => Promise<void>,
): Run {
  const parameters = opened.step.state.filter(({ role }) => role === 'parameter');
  const all = new Float32Array(parameters.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  const views = parameters.map(({ name, length }) => {
    const view = tensor('float32', [length], all.subarray(start, start + length));
    start += length;
    return [gradientName(name), view] as const;
  });
  const arrays = new Map([...shared, ...views]);
  const [computeGradients, update] = ([0, 1] as const).map((index) => bind(opened, index, arrays, state, state));
  return async () => {
    await computeGradients!();
    await reduce(all);
    await update!();
  };
}
