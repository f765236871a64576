/**
 * A model in training: one session that runs the step graph, and the state it hands from step to step. There are two
 * sets of state arrays; a step reads the one and writes the other, and the next step goes the other way, so the state is
 * never copied. Velocities are in both sets: only their own update reads them, before it writes.
 */

import { type BoundSession, openBound, type SessionOptions } from '#platform';
import { UsageError } from '../errors.ts';
import type { Model } from '../model/resnext.ts';
import { checkWeights, countNames, gatherWeights, scatterWeights, type Weights } from '../model/weights.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { type Layout, lowering } from './lowering.ts';
import { frozenParts, head, partOf, weightsOfParts } from './parts.ts';
import { type StateSpec, type StepOptions, type TrainingStep, trainingStep } from './step.ts';

type Buffers = ReadonlyMap<string, Tensor<'float32'>>;

export interface TrainerOptions
  extends Omit<StepOptions, 'frozen' | 'rateOf'>,
    Pick<SessionOptions, 'threads' | 'providers'> {
  /** Parts that stay as they are, such as `stem` and `layer1`, or `all but fc`; none unless given. */
  readonly freeze?: readonly string[];
  /** What the learning rate is multiplied by for everything but the classifier; 1 unless given. */
  readonly backboneRate?: number;
  /** Overrides the choice of `lowering`. */
  readonly layout?: Layout;
}

export class Trainer {
  /** The batch that the next step trains on, normalized: [B, C, H, W]. Write into it. */
  readonly images: Float32Array;
  /** The class probabilities that it should give: [B, K]. Write into it. */
  readonly targets: Float32Array;
  /** The last step's loss is `loss[0]`, measured before its update. */
  readonly loss: Float32Array;
  /** The last step's logits: [B, K]. */
  readonly logits: Float32Array;
  readonly #model: Model;
  readonly #session: BoundSession;
  readonly #rate: Float32Array;
  readonly #state: readonly StateSpec[];
  /** The set that holds the current state comes first. */
  #buffers: [Buffers, Buffers];
  #runs: [() => Promise<void>, () => Promise<void>];
  #isWhole = true;
  /** Parameters and statistics that no step changes, by name. */
  readonly #frozen: Weights;
  /** Counts of batches of frozen normalizations. */
  readonly #counts: Weights;

  private constructor(
    model: Model,
    session: BoundSession,
    { graph, state }: TrainingStep,
    [frozen, counts]: readonly [Weights, Weights],
  ) {
    this.#model = model;
    this.#frozen = frozen;
    this.#counts = counts;
    this.#session = session;
    this.#state = state;
    const array = (name: string) => {
      const value = [...graph.inputs, ...graph.outputs].find((candidate) => candidate.name === name)!;
      return tensor('float32', value.dims as number[]);
    };
    const [images, targets, rate] = [array('input'), array('targets'), array('learningRate')];
    const [loss, logits] = [array('loss'), array('logits')];
    this.images = images.data;
    this.targets = targets.data;
    this.loss = loss.data;
    this.logits = logits.data;
    this.#rate = rate.data;
    const first = emptyBuffers(state);
    this.#buffers = [first, emptyBuffers(state, first)];
    const bind = (from: Buffers, to: Buffers) => {
      const inputs = new Map([...from, ['input', images], ['targets', targets], ['learningRate', rate]] as const);
      const next = state.map((spec) => [spec.next, to.get(spec.name)!] as const);
      return session.bind(inputs, new Map([...next, ['loss', loss], ['logits', logits]] as const));
    };
    const [a, b] = this.#buffers;
    this.#runs = [bind(a, b), bind(b, a)];
  }

  /**
   * Opens the model's training step on ONNX Runtime; `dispose` frees it.
   *
   * @param weights the start, in form C.
   * @param velocity the optimizer's, in form C; zero unless given.
   * @throws UsageError when the weights do not fit the model, or it has no part that is to be frozen.
   * @example const trainer = await Trainer.open(model, initialWeights(model, 1), { batch: 32, momentum: 0.9, … });
   */
  static async open(
    model: Model,
    weights: Weights,
    options: TrainerOptions,
    velocity: Weights = new Map(),
  ): Promise<Trainer> {
    checkWeights(model, weights);
    const { freeze = [], backboneRate = 1, ...rest } = options;
    const still = weightsOfParts(weights, frozenParts(freeze, model.config));
    const frozen = scatterWeights(model, still);
    const counts = new Map(countNames(model).flatMap((name) => (still.has(name) ? [[name, still.get(name)!]] : [])));
    const rateOf = (name: string) => (partOf(name) === head ? 1 : backboneRate);
    const step = trainingStep(model.graph, { ...rest, frozen, rateOf });
    const { lower, optimization } = await lowering(options, options.layout);
    const session = await openBound(lower(step.graph), { ...options, optimization });
    const trainer = new Trainer(model, session, step, [frozen, counts]);
    trainer.setState(weights, velocity);
    return trainer;
  }

  /**
   * Trains on `images` and `targets` once; `loss` and `logits` then hold the results. Until then none of them may be
   * touched.
   *
   * @throws UsageError while another step is under way, and after one that failed until `setState`.
   */
  async step(learningRate: number): Promise<void> {
    this.#whole();
    this.#rate[0] = learningRate;
    this.#isWhole = false; // a step that fails half-way has changed some velocities
    await this.#runs[0]();
    this.#isWhole = true;
    this.#runs.reverse();
    this.#buffers.reverse();
  }

  /** The weights and running statistics as they are now, copied, in form C. */
  get weights(): Map<string, Tensor> {
    return new Map([...this.#gather(''), ...this.#counts]);
  }

  /** The optimizer's velocities, copied, in form C, under their parameters' names. */
  get velocity(): Map<string, Tensor> {
    return this.#gather('.velocity');
  }

  /** Goes on from this state; a velocity that is not given starts at zero, and what is frozen stays as it is. */
  setState(weights: Weights, velocity: Weights): void {
    const current = this.#buffers[0];
    this.#isWhole = true;
    for (const { name, role } of this.#state) if (role === 'velocity') current.get(name)!.data.fill(0);
    const put = (name: string, part: Tensor) => current.get(name)?.data.set(part.data as Float32Array);
    for (const [name, part] of scatterWeights(this.#model, weights)) put(name, part);
    for (const [name, part] of scatterWeights(this.#model, velocity)) put(`${name}.velocity`, part);
  }

  /** Frees the session. The trainer cannot be used afterwards. */
  async dispose(): Promise<void> {
    await this.#session.dispose();
  }

  #whole(): void {
    if (!this.#isWhole) {
      throw new UsageError(
        'A step is under way or has failed; wait for it, or set the state that training goes on from.',
      );
    }
  }

  #gather(suffix: string): Map<string, Tensor> {
    this.#whole();
    const current = this.#buffers[0];
    return gatherWeights(this.#model, ({ value }) => {
      const still = suffix === '' && this.#frozen.get(value.name);
      if (still) return still;
      const flat = current.get(value.name + suffix);
      return flat && tensor('float32', value.dims as number[], flat.data.slice());
    });
  }
}

function emptyBuffers(state: readonly StateSpec[], shared?: Buffers): Buffers {
  const array = ({ name, length, role }: StateSpec) =>
    (role === 'velocity' && shared?.get(name)) || tensor('float32', [length]);
  return new Map(state.map((spec) => [spec.name, array(spec)]));
}
