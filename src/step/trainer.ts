/**
 * A model in training: the session that runs its step, and the state passed between steps. There are two sets of arrays
 * for parameters: a step reads one and writes the other, and the next step does the reverse, so nothing is copied. All
 * other state is overwritten in place: only its own update reads it, before writing.
 *
 * With `reduce`, `accumulate` or `replicas`, the step is two graphs with the gradients in between, and parameters are
 * overwritten in place, too.
 */

import { type BoundSession, openBound, type SessionOptions, sessionFields, thisMachine } from '#platform';
import { callback, checkArgument, checkOptions, type FieldsOf, map } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { type Model, modelKind } from '../model/resnext.ts';
import { checkWeights, countNames, gatherWeights, scatterWeights, type Weights } from '../model/weights.ts';
import { list, oneOf, pick, real, text, whole } from '../options.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { type AverageOptions, averageDecayAt, averageFields, averageScalars } from './average.ts';
import { chooseLowering, type Lowering } from './lowering.ts';
import { drawMask, type Mask } from './masks.ts';
import { type BoundOptimizer, bindOptimizer } from './optimizers.ts';
import { frozenGroups, groupOf, head, weightsOfGroups } from './parameter-groups.ts';
import { type Buffers, bindGraph, bindShares, type Opened, type Run, replicas } from './shares.ts';
import { averageName, type StateSpec, slotName } from './state.ts';
import { type StepOptions, stepFields, type TrainingStep, trainingStep } from './step.ts';

/** What is trained, and how. */
export interface TrainerOptions
  extends Omit<StepOptions, 'average' | 'frozen' | 'rateOf' | 'wholeOf' | 'split'>,
    AverageOptions,
    Pick<SessionOptions, 'threads' | 'providers' | 'wasmPaths'> {
  /** Parameter groups to freeze, such as `stem` and `layer1`, or `backbone`. Default: none. */
  readonly freeze?: readonly string[];
  /** Factor on the learning rate of everything but the classifier. Default: 1. */
  readonly backboneRate?: number;
  /** Of drop path and dropout, whose masks depend on it and the number of updates so far. Default: 0. */
  readonly seed?: number;
  /** Default: the fastest that works on this machine. */
  readonly lowering?: Lowering;
  /**
   * Number of parts of the batch that a step computes one after the other, with the memory of one. Their gradients are
   * averaged before the update, so that the step is that of the whole batch, except that each part is normalized with its
   * own batch statistics. Default: 1.
   */
  readonly accumulate?: number;
  /**
   * Number of sessions that compute parts of the batch at the same time, each with its share of the threads, as data-parallel
   * training does on several devices: gradients and running statistics are averaged. Faster for small networks, whose
   * operators do not keep several threads busy. Default: 1.
   */
  readonly replicas?: number;
  /**
   * Called in each step between gradients and update, with all gradients in one array. It may replace them, for example
   * with the mean over several machines.
   */
  readonly reduce?: (gradients: Float32Array) => Promise<void>;
}

/** Everything that a step changes. Weights are in form C. */
export interface TrainerState {
  readonly weights: Weights;
  /** By the names of the optimizer's slots. Missing tensors are zero. */
  readonly slots: ReadonlyMap<string, Weights>;
  /** Missing tensors equal the current weights. */
  readonly average: Weights;
  /** Number of updates so far. */
  readonly steps: number;
}

const { threads, providers, wasmPaths } = sessionFields;

const trainerFields: FieldsOf<TrainerOptions> = {
  ...stepFields,
  ...averageFields,
  ...{ threads, providers, wasmPaths },
  freeze: list(text({ expected: 'a name', doc: 'a group' }), { doc: 'parameter groups to freeze' }),
  backboneRate: real({ from: 0, doc: 'factor on the learning rate' }),
  seed: whole({ from: 0, doc: 'seed of drop path and dropout' }),
  lowering: oneOf(['blocked', 'standard'], { doc: 'how the step is lowered' }),
  accumulate: whole({ from: 1, doc: 'parts of the batch one after the other' }),
  replicas,
  reduce: callback('called between gradients and update'),
};

export class Trainer {
  /** The batch for the next step, to be filled with normalized images: [B, C, H, W]. */
  readonly images: Float32Array;
  /** Its targets, to be filled with probabilities: [B, K]. */
  readonly targets: Float32Array;
  /** `loss[0]` is the last step's loss, measured before its update. */
  readonly loss: Float32Array;
  /** The last step's logits: [B, K]. */
  readonly logits: Float32Array;
  readonly #model: Model;
  readonly #sessions: readonly BoundSession[];
  readonly #optimizer: BoundOptimizer;
  readonly #average: AverageOptions;
  readonly #scalars: Buffers;
  readonly #seed: number;
  /** With their arrays for a whole batch. */
  readonly #masks: ReadonlyMap<Mask, Float32Array>;
  readonly #state: readonly StateSpec[];
  /** The set with the current state comes first. */
  readonly #buffers: [Buffers, Buffers];
  /** From the first set to the second, and back. */
  readonly #runs: [Run, Run];
  readonly #still: Still;
  #steps = 0;
  #condition: Condition = 'ready';

  private constructor(model: Model, opened: Opened, still: Still, options: TrainerOptions) {
    const { optimizer, accumulate = 1, reduce, seed = 0 } = options;
    const { step, replicas, update } = opened;
    this.#model = model;
    this.#sessions = sessionsOf(opened);
    this.#still = still;
    this.#optimizer = bindOptimizer(optimizer);
    this.#average = pick<AverageOptions>(averageFields, options);
    this.#state = step.state;
    const batch = arraysOf(step.graph, ['input', 'targets', 'loss', 'logits'], replicas.length * accumulate);
    const [images, targets, loss, logits] = [...batch.values()].map(({ data }) => data);
    const names = step.masks.map(({ name }) => name);
    const masks = arraysOf(step.graph, names, replicas.length * accumulate);
    this.#seed = seed;
    this.#masks = new Map(step.masks.map((mask) => [mask, masks.get(mask.name)!.data]));
    this.images = images!;
    this.targets = targets!;
    this.loss = loss!;
    this.logits = logits!;
    this.#scalars = arraysOf(step.update ?? step.graph, Object.keys(this.#scalarsOf(0)));
    const shared = new Map([...batch, ...masks, ...this.#scalars]);
    const first = emptyBuffers(step.state);
    if (update) {
      this.#buffers = [first, first];
      const run = bindShares(opened, shared, first, { accumulate, ...(reduce && { reduce }) });
      this.#runs = [run, run];
    } else {
      const second = emptyBuffers(step.state, first);
      const bind = (from: Buffers, to: Buffers) => bindGraph(replicas[0]!, step, 0, shared, from, to);
      this.#buffers = [first, second];
      this.#runs = [bind(first, second), bind(second, first)];
    }
  }

  /**
   * Opens the model's training step in ONNX Runtime. `dispose` frees it.
   *
   * @param weights the weights to start from, in form C.
   * @param state the rest of the state to continue from, in form C. Default: a new start.
   * @throws UsageError if weights or state do not fit the model, or it does not have a group to freeze.
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
    checkArgument('model', model, modelKind);
    checkArgument('weights', weights, map);
    checkOptions(trainerFields, options);
    checkWeights(model, weights);
    const { freeze = [], backboneRate = 1, reduce, accumulate = 1, replicas = 1 } = options;
    const shares = accumulate * replicas;
    checkShares(options.batch, accumulate, replicas);
    const frozen = weightsOfGroups(weights, frozenGroups(freeze, model.config));
    const still = {
      parameters: scatterWeights(model, frozen),
      counts: new Map(countNames(model).flatMap((name) => (frozen.has(name) ? [[name, frozen.get(name)!]] : []))),
    };
    const own = pick<Omit<StepOptions, 'average' | 'frozen' | 'rateOf' | 'wholeOf' | 'split'>>(stepFields, options);
    const rateOf = (name: string) => (groupOf(name) === head ? 1 : backboneRate);
    const sources = new Map(model.parameters.map(({ value, source }) => [value.name, source.name]));
    const step = trainingStep(model.graph, {
      ...own,
      batch: options.batch / shares,
      average: options.average !== undefined,
      frozen: still.parameters,
      rateOf,
      wholeOf: (name) => sources.get(name) ?? name,
      split: reduce !== undefined || shares > 1,
    });
    const opened = await openStep(step, options);
    try {
      const trainer = new Trainer(model, opened, still, options);
      trainer.setState({ ...state, weights });
      return trainer;
    } catch (error) {
      await disposeOf(sessionsOf(opened));
      throw error;
    }
  }

  /**
   * Trains once on `images` and `targets`, and writes the results to `loss` and `logits`. Do not access these arrays until
   * the step is done.
   *
   * @throws UsageError if another step is running, or after a failed step until `setState` is called.
   */
  async step(learningRate: number): Promise<void> {
    this.#checkReady();
    for (const [name, value] of Object.entries(this.#scalarsOf(learningRate))) this.#scalars.get(name)!.data[0] = value;
    for (const [mask, data] of this.#masks) drawMask(mask, data, this.#seed, this.#steps);
    this.#condition = 'stepping';
    try {
      await this.#runs[0]();
    } catch (error) {
      this.#condition = 'broken'; // the failed step may have changed part of the state
      throw error;
    }
    this.#condition = 'ready';
    this.#steps += 1;
    this.#runs.reverse();
    this.#buffers.reverse();
  }

  /** A copy of the current weights and running statistics, in form C. */
  get weights(): Map<string, Tensor> {
    return this.#whole((name) => name);
  }

  /** A copy of the average of weights and running statistics, in form C; empty if none is kept. */
  get average(): Map<string, Tensor> {
    return this.#state.some(({ role }) => role === 'average') ? this.#whole(averageName) : new Map();
  }

  /** A copy of the optimizer's slots, in form C, each by the names of the parameters. */
  get slots(): Map<string, Weights> {
    return new Map(this.#optimizer.slots.map((slot) => [slot, this.#gather((name) => slotName(name, slot))]));
  }

  /** Number of updates so far. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Sets the state to continue from. Frozen parameters do not change.
   *
   * @throws UsageError if a step is running, or the state does not fit the model.
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

  /** Closes the trainer and frees its memory. */
  async dispose(): Promise<void> {
    await disposeOf(this.#sessions);
  }

  /** What changes with each step. */
  #scalarsOf(learningRate: number): Readonly<Record<string, number>> {
    const t = this.#steps + 1;
    const ofAverage = this.#average.average === undefined ? {} : averageScalars(averageDecayAt(this.#average, t));
    return { learningRate, ...this.#optimizer.scalars(t), ...ofAverage };
  }

  #checkReady(): void {
    if (this.#condition !== 'ready') throw new UsageError(conditions[this.#condition]);
  }

  /** The state's tensors with these names, and the frozen parameters. */
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

type Condition = 'ready' | keyof typeof conditions;

/** Why the state cannot be used. */
const conditions = {
  stepping: 'A step is running. Wait for it.',
  broken: 'A step has failed and may have changed part of the state. Call setState to continue.',
};

const disposeOf = (sessions: readonly BoundSession[]): Promise<unknown> =>
  Promise.all(sessions.map((session) => session.dispose()));

type StateToSet = Partial<TrainerState> & Pick<TrainerState, 'weights'>;

/** Tensors that steps do not change: frozen parameters and statistics, and the batch counts of frozen normalizations. */
interface Still {
  readonly parameters: Weights;
  readonly counts: Weights;
}

function checkShares(batch: number, accumulate: number, replicas: number): void {
  if (batch % (accumulate * replicas) === 0) return;
  const parts = [accumulate, replicas].filter((number) => number > 1).join(' × ');
  throw new UsageError(`A batch of ${batch} images cannot be divided into ${parts} equal parts.`);
}

/** Opens the sessions of a step, one per replica and one for the update. */
async function openStep(step: TrainingStep, options: TrainerOptions): Promise<Opened> {
  const { lower, optimization } = await chooseLowering(options, options.lowering);
  const { replicas: count = 1 } = options;
  const settings = { ...pick<SessionOptions>(sessionFields, options), optimization };
  const threads = count === 1 ? options.threads : await shareOfThreads(options.threads, count);
  const own = { ...settings, ...(threads !== undefined && { threads }) };
  const replicas: BoundSession[] = [];
  try {
    for (let r = 0; r < count; r++) replicas.push(await openBound(lower(step.graph), own));
    return { step, replicas, ...(step.update && { update: await openBound(lower(step.update), settings) }) };
  } catch (error) {
    await disposeOf(replicas);
    throw error;
  }
}

const sessionsOf = ({ replicas, update }: Opened): readonly BoundSession[] => [
  ...replicas,
  ...(update ? [update] : []),
];

/** Threads of each replica. */
const shareOfThreads = async (threads: number | undefined, replicas: number): Promise<number> =>
  Math.max(1, Math.floor((threads ?? (await thisMachine()).cores) / replicas));

/** Arrays for inputs and outputs of a graph; those with a batch are for `shares` of it. */
function arraysOf(graph: Graph, names: readonly string[], shares = 1): Buffers {
  const values = [...graph.inputs, ...graph.outputs];
  return new Map(
    names.map((name) => {
      const { dims } = values.find((value) => value.name === name)!;
      const [batch, ...rest] = dims as number[];
      return [name, tensor('float32', batch === undefined ? [] : [batch * shares, ...rest])];
    }),
  );
}

/** Arrays for the state. Those of `shared`, if given, are reused for everything but parameters. */
function emptyBuffers(state: readonly StateSpec[], shared?: Buffers): Buffers {
  const array = ({ name, length, role }: StateSpec) =>
    (role !== 'parameter' && shared?.get(name)) || tensor('float32', [length]);
  return new Map(state.map((spec) => [spec.name, array(spec)]));
}
