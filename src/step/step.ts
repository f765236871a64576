/**
 * One training step as one graph: forward pass with batch statistics, loss, backward pass, update. Its inputs are a batch,
 * the optimizer's scalars and the state; its outputs are the loss and the next state, which the caller feeds to the next
 * step. `state.ts` defines the names of the state's tensors.
 *
 * With `split`, there are two graphs: the first ends with the gradients, and the second uses them to update the state. In
 * between, they can be summed over several batches or machines.
 *
 * Frozen parameters are constants of the graph and not part of the state. A frozen normalization uses its running
 * statistics, so it is folded into the convolution before it. The backward pass ends at the first trained parameter.
 */
import { callback, checkArgument, checkOptions, type FieldsOf, hasAll, map, object } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { gradient } from '../grad/gradient.ts';
import { Builder } from '../graph/builder.ts';
import { runningStatistics, trainedParameters } from '../graph/cost.ts';
import { type Graph, graphKind, type Node, Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { inferShapes } from '../graph/shapes.ts';
import { flag, list, oneOf, real, whole } from '../options.ts';
import { foldBatchNorm } from '../rewrite/fold-batchnorm.ts';
import { rewrite } from '../rewrite/rewriter.ts';
import { elements, type Tensor, tensor } from '../tensor.ts';
import { averageScalars } from './average.ts';
import { type Loss, losses, lossNames } from './losses.ts';
import { insertMasks, type Mask, type MaskOptions } from './masks.ts';
import {
  type BoundOptimizer,
  bindOptimizer,
  norm,
  type Optimizer,
  optimizerNames,
  type UpdateInputs,
} from './optimizers.ts';
import { averageName, gradientName, nextName, type StateSpec, slotName } from './state.ts';

/** What a training step does besides the forward pass. */
export interface StepOptions extends MaskOptions {
  /** Images per step. */
  readonly batch: number;
  /** Default: cross-entropy. */
  readonly loss?: Loss;
  /** Weight of each class in the loss: [K]. Default: all are 1. */
  readonly classWeights?: readonly number[];
  readonly optimizer: Optimizer;
  /** Weight decay of a parameter by name. Vectors are biases and normalization parameters. Default: 0. */
  readonly decayOf?: (parameter: string, isVector: boolean) => number;
  /**
   * The tensor that a parameter is a slice of, by name: in forms A and B, branches hold slices of form C's tensors, which an
   * optimizer may have to see as a whole. Default: none is a slice.
   */
  readonly wholeOf?: (parameter: string) => string;
  /** Factor on the learning rate of a parameter by name. Default: 1. */
  readonly rateOf?: (parameter: string) => number;
  /** Weight of the batch's statistics in the new running statistics. Default: 0.1, as in PyTorch. */
  readonly batchNormMomentum?: number;
  /** Contents of the frozen parameters and running statistics by name. Default: nothing is frozen. */
  readonly frozen?: ReadonlyMap<string, Tensor>;
  /**
   * Keeps an exponential moving average of all parameters and running statistics, whose decay and 1 − decay are inputs of the
   * step, `averageDecay` and `averageShare`. Default: false.
   */
  readonly average?: boolean;
  /** Norm to which all gradients together are clipped. Default: they are not, unless the optimizer does. */
  readonly clipNorm?: number;
  /** Whether to make two graphs, one for the gradients and one for the update. Default: false. */
  readonly split?: boolean;
}

const ownFields = {
  batch: whole({ from: 1, required: true, doc: 'images per step' }),
  loss: oneOf(lossNames, { doc: 'loss to minimize' }),
  classWeights: list(real({ from: 0, doc: 'a weight' }), { nonEmpty: true, doc: 'weight of each class in the loss' }),
  optimizer: object(
    'an optimizer, such as { name: "sgd", momentum: 0.9, nesterov: true }',
    (value) => hasAll(value, 'name') && optimizerNames.some((name) => name === (value as Optimizer).name),
    { required: true },
  ),
  decayOf: callback('the weight decay of a parameter'),
  batchNormMomentum: real({ from: 0, to: 1, doc: 'weight of the batch in the running statistics' }),
  dropPath: real({ from: 0, below: 1, doc: 'rate at which the last block is dropped' }),
  dropout: real({ from: 0, below: 1, doc: 'rate at which features are dropped' }),
  clipNorm: real({ above: 0, doc: 'norm to which gradients are clipped' }),
};

/** The options of a step that a `Trainer` has as well. */
export const stepFields: FieldsOf<Omit<StepOptions, 'average' | 'frozen' | 'rateOf' | 'wholeOf' | 'split'>> = ownFields;

const fields: FieldsOf<StepOptions> = {
  ...ownFields,
  average: flag({ doc: 'whether to keep a moving average' }),
  rateOf: callback('the factor on a learning rate'),
  wholeOf: callback('the tensor that a parameter is a slice of'),
  frozen: object('a Map', map.accepts),
  split: flag({ doc: 'whether to make two graphs' }),
};

/**
 * Inputs of `graph`: `input` [B, C, H, W], `targets` [B, K] (probabilities), `learningRate` [], the optimizer's scalars []
 * and those of the average, the masks, and all tensors of the state, flat. Outputs: `loss` [], `logits` [B, K], and the next values of the state.
 *
 * With `split`, `graph` has the masks, parameters and statistics as inputs, and `loss`, `logits`, the gradients `w.gradient`
 * and the next statistics as outputs. Everything else is in `update`.
 */
export interface TrainingStep {
  readonly graph: Graph;
  readonly update?: Graph;
  readonly state: readonly StateSpec[];
  /** Of drop path and dropout. `drawMask` fills them. */
  readonly masks: readonly Mask[];
}

/**
 * Builds the training step of the classifier `source`, whose first input is images [B, C, H, W] and whose first output is
 * logits [B, K].
 *
 * @throws UsageError if a normalization would have only one value per channel, or an operator between a parameter and the
 *   loss has no gradient.
 * @example trainingStep(model.graph, { batch: 32, optimizer: { name: 'sgd', momentum: 0.9, nesterov: true } })
 */
export function trainingStep(source: Graph, options: StepOptions): TrainingStep {
  checkArgument('source', source, graphKind);
  checkOptions(fields, options);
  const { average = false, split = false } = options;
  const { graph, logits, loss, parameters, masks } = withLoss(source, options);
  const gradients = gradient(graph, loss, parameters);
  const b = new Builder(graph);
  const site = updateSite(split ? new Builder('update') : b, options);
  graph.outputs.splice(0, graph.outputs.length, loss, logits);
  const statistics = updateStatistics(b);
  const flat = parameters.map((value, i): Trained => {
    const isVector = value.dims!.length === 1;
    const dw = b.op('Reshape', [gradients[i], b.ints([lengthOf(value)])]);
    return { w: flatInput(b, value), dw, isVector };
  });
  const trained = updateParameters(site, split ? flat.map((each) => handedOver(b, site.b, each)) : flat, options);
  const moved = split
    ? statistics.map(({ name, next }) => ({ name, next: inputLike(site.b, next, name) }))
    : statistics;
  const averages = average ? updateAverages(site.b, [...trained, ...moved]) : [];
  graph.removeDead();
  const state = [...[...trained, ...statistics].flatMap(({ specs }) => specs), ...averages];
  return { graph, state, masks, ...(split && { update: site.b.graph }) };
}

/** A trained parameter and its gradient, flat. */
interface Trained {
  readonly w: Value;
  readonly dw: Value;
  readonly isVector: boolean;
}

/** Makes a gradient an output of one graph, and it and its parameter inputs of the other. */
function handedOver(from: Builder, to: Builder, { w, dw, isVector }: Trained): Trained {
  from.output(dw, gradientName(w.name));
  return { w: inputLike(to, w, w.name), dw: inputLike(to, dw, dw.name), isVector };
}

const inputLike = (b: Builder, { dims }: Value, name: string): Value => b.input(name, dims!);

/** The forward pass of training, up to the loss. */
export interface TrainingPass {
  readonly graph: Graph;
  readonly logits: Value;
  readonly loss: Value;
  /** The trained parameters. */
  readonly parameters: readonly Value[];
  readonly masks: readonly Mask[];
}

/**
 * Builds the forward pass of training, with a fixed batch size and the loss against `targets`. Normalizations that are not
 * frozen use the batch's statistics.
 */
export function withLoss(
  source: Graph,
  options: Pick<StepOptions, 'batch' | 'loss' | 'classWeights' | 'batchNormMomentum' | 'frozen' | keyof MaskOptions>,
): TrainingPass {
  const { batch, loss: name = 'cross-entropy', batchNormMomentum = 0.1, frozen = new Map() } = options;
  const { graph } = source.clone();
  const images = graph.inputs[0]!;
  images.dims = images.dims!.with(0, batch);
  inferShapes(graph);
  const parameters = [...trainedParameters(graph)].filter(({ name }) => !frozen.has(name));
  for (const node of graph.sorted()) {
    if (!frozen.has(node.inputs[1]?.name ?? '')) useBatchStatistics(graph, node, batchNormMomentum);
  }
  foldFrozen(graph, frozen);
  const masks = insertMasks(graph, new Set(parameters), options);
  const b = new Builder(graph);
  const logits = graph.outputs[0]!;
  const targets = b.input('targets', logits.dims!);
  const loss = losses[name](b, logits, targets, options.classWeights && weightsOf(b, options.classWeights, logits));
  loss.name = 'loss';
  return { graph, logits, loss, parameters, masks };
}

function weightsOf(b: Builder, weights: readonly number[], { dims }: Value): Value {
  const classes = dims!.at(-1);
  if (weights.length !== classes) {
    throw new UsageError(`classWeights has ${weights.length} numbers, but the network has ${classes} classes.`);
  }
  return b.constant(tensor('float32', [classes], Float32Array.from(weights)), 'classWeights');
}

/** Makes frozen parameters constants, and folds frozen normalizations into convolutions. */
function foldFrozen(graph: Graph, frozen: ReadonlyMap<string, Tensor>): void {
  if (frozen.size === 0) return;
  for (const value of [...trainedParameters(graph), ...runningStatistics(graph)]) value.tensor = frozen.get(value.name);
  rewrite(graph, [foldBatchNorm]);
}

function useBatchStatistics(graph: Graph, node: Node, momentum: number): void {
  if (opTypeOf(node) !== 'BatchNormalization') return;
  const { epsilon } = attributesOf(node, 'BatchNormalization');
  const [y] = node.outputs;
  const training = new Builder(graph).node(
    'BatchNormTraining',
    node.inputs,
    { epsilon, momentum },
    5,
    `${node.name}.training`,
  );
  graph.replaceAllUses(y!, training.outputs[0]!);
  graph.remove(node);
}

/** A parameter or statistic with its next value and its tensors in the state. */
interface Changed {
  readonly name: string;
  readonly next: Value;
  readonly specs: readonly StateSpec[];
}

/** Makes each running statistic an input and its next value an output. */
function updateStatistics(b: Builder): Changed[] {
  const statistics = [...runningStatistics(b.graph)].filter(({ users }) => [...users].every(isTraining));
  return statistics.map((value) => {
    const next = nextStatistic(value);
    const { name } = flatInput(b, value);
    b.output(next, nextName(name));
    return { name, next, specs: [spec(name, lengthOf(value), { parameter: name, role: 'statistic' })] };
  });
}

const isTraining = (node: Node): boolean => opTypeOf(node) === 'BatchNormTraining';

/** The next value of a running statistic in `withLoss`'s graph: BatchNormTraining's inputs 3, 4 → outputs 1, 2. */
export function nextStatistic(statistic: Value): Value {
  const [node] = statistic.users;
  return node!.outputs[node!.inputs.indexOf(statistic) - 2]!;
}

/** Where updates are added: the step's graph, or a separate one. */
interface UpdateSite {
  readonly b: Builder;
  readonly optimizer: BoundOptimizer;
  /** The optimizer's inputs besides the learning rate. */
  readonly scalars: readonly Value[];
  /** The learning rate of a parameter. */
  readonly rateOf: (parameter: string) => Value;
}

function updateSite(b: Builder, options: StepOptions): UpdateSite {
  const optimizer = bindOptimizer(options.optimizer);
  const rateOf = ratesOf(b, options);
  const scalars = Object.keys(optimizer.scalars(1)).map((name) => b.input(name, []));
  return { b, optimizer, scalars, rateOf };
}

/** The learning rate, multiplied by the parameter's factor. */
function ratesOf(b: Builder, { rateOf = () => 1 }: StepOptions): (parameter: string) => Value {
  const rates = new Map([[1, b.input('learningRate', [])]]);
  return (parameter) => {
    const factor = rateOf(parameter);
    const rate = rates.get(factor) ?? b.op('Mul', [rates.get(1)!, b.number(factor)], {}, 'learningRate.scaled');
    rates.set(factor, rate);
    return rate;
  };
}

function updateParameters(site: UpdateSite, parameters: readonly Trained[], options: StepOptions): Changed[] {
  const { decayOf = () => 0, clipNorm = Infinity, wholeOf = (name) => name } = options;
  const { b, optimizer, scalars, rateOf } = site;
  const limit = Math.min(clipNorm, optimizer.clipNorm ?? Infinity);
  const gradients = parameters.map(({ dw }) => dw);
  const scale = limit === Infinity ? undefined : clipFactor(b, gradients, limit);
  const inputs = parameters.map(({ w, dw, isVector }): UpdateInputs => {
    const { name } = w;
    const slots = optimizer.slots.map((slot) => b.input(slotName(name, slot), [lengthOf(w)]));
    const gradient = scale ? b.op('Mul', [dw, scale]) : dw;
    return { name, w, gradient, slots, rate: rateOf(name), scalars, decay: decayOf(name, isVector) };
  });
  const changed = new Map<string, Changed>();
  const wholes = new Map<string, UpdateInputs[]>();
  for (const each of inputs) wholes.set(wholeOf(each.name), [...(wholes.get(wholeOf(each.name)) ?? []), each]);
  for (const slices of wholes.values()) {
    for (const [i, next] of optimizer.update(b, slices).entries()) {
      changed.set(slices[i]!.name, changedParameter(site, slices[i]!, next));
    }
  }
  return inputs.map(({ name }) => changed.get(name)!);
}

/** min(1, limit/(‖gradients‖ + 1e-6)), as in PyTorch's `clip_grad_norm_`. */
function clipFactor(b: Builder, gradients: readonly Value[], limit: number): Value {
  const exceeding = b.op('Mul', [b.op('Add', [norm(b, gradients), b.number(1e-6)]), b.number(1 / limit)]);
  const above = b.op('Relu', [b.op('Sub', [exceeding, b.number(1)])]);
  return b.op('Reciprocal', [b.op('Add', [above, b.number(1)])]);
}

/** Makes the next values of a parameter and its slots outputs. */
function changedParameter(
  { b, optimizer }: UpdateSite,
  { name, w }: UpdateInputs,
  [next, ...nextSlots]: readonly Value[],
): Changed {
  const length = lengthOf(w);
  b.output(next!, nextName(name));
  const kept = optimizer.slots.map((slot, i) => {
    b.output(nextSlots[i]!, nextName(slotName(name, slot)));
    return spec(slotName(name, slot), length, { parameter: name, role: 'slot', slot });
  });
  return { name, next: next!, specs: [spec(name, length, { parameter: name, role: 'parameter' }), ...kept] };
}

/** Updates the averages of everything that changed. */
function updateAverages(b: Builder, changed: readonly Pick<Changed, 'name' | 'next'>[]): StateSpec[] {
  const scalars = Object.keys(averageScalars(0)).map((name) => b.input(name, []));
  return changed.map(({ name: parameter, next }) => {
    const average = b.input(averageName(parameter), next.dims!);
    b.output(b.op('MovingAverage', [next, average, ...scalars]), nextName(average.name));
    return spec(average.name, lengthOf(next), { parameter, role: 'average' });
  });
}

const lengthOf = (value: Value): number => elements(value.dims as number[]);

const spec = (name: string, length: number, rest: Pick<StateSpec, 'parameter' | 'role' | 'slot'>): StateSpec => ({
  name,
  next: nextName(name),
  length,
  ...rest,
});

/**
 * Replaces an initializer with a flat graph input of the same name, reshaped for its users. (ONNX Runtime scales a tensor
 * with trailing axes of 1, such as a 1x1 filter, many times slower than the same numbers in a vector.)
 */
function flatInput(b: Builder, value: Value): Value {
  const flat = new Value(value.name, value.dtype, [lengthOf(value)]);
  value.name = `${value.name}.shaped`;
  b.graph.initializers.delete(value);
  b.graph.inputs.push(flat);
  const shaped = b.op('Reshape', [flat, b.ints(value.dims as number[])]);
  b.graph.replaceAllUses(value, shaped);
  return flat;
}
