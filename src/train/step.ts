/**
 * One training step as one graph: forward with batch statistics, loss, backward, optimizer. It takes a batch, the
 * learning rate and the state, and gives back the loss and the next state; the loop feeds the one into the other.
 *
 * Frozen parameters are constants of the graph and no state. A normalization among them uses its running statistics, so
 * it is part of the convolution before it. The gradient goes back to the first parameter that is trained and no further.
 *
 * State tensors go in and out flat, [n]. The parameter "w" comes in as "w" with its velocity as "w.velocity" and leaves
 * as "w.next" and "w.velocity.next"; a running statistic "m" leaves as "m.next".
 */
import { gradient } from '../grad/gradient.ts';
import { Builder } from '../graph/builder.ts';
import { runningStatistics, trainedParameters } from '../graph/cost.ts';
import { type Graph, type Node, Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { inferShapes } from '../graph/shapes.ts';
import { foldBatchNorm } from '../rewrite/fold-batchnorm.ts';
import { rewrite } from '../rewrite/rewriter.ts';
import { elements, type Tensor } from '../tensor.ts';

export interface StepOptions {
  /** Images per step. */
  readonly batch: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  /** Weight decay on convolution and classifier weights. */
  readonly weightDecay: number;
  /** Weight decay on biases and normalization parameters; `weightDecay` unless given. */
  readonly normWeightDecay?: number;
  /** The share of the batch's statistics in the new running ones; 0.1 unless given, as in PyTorch. */
  readonly statisticsMomentum?: number;
  /** What the parameters and running statistics hold that stay as they are, by name; none unless given. */
  readonly frozen?: ReadonlyMap<string, Tensor>;
  /** What the learning rate is multiplied by for a parameter, by its name; 1 for all unless given. */
  readonly rateOf?: (parameter: string) => number;
}

/** One tensor of the state that steps hand on. */
export interface StateSpec {
  /** Name of the graph input. */
  readonly name: string;
  /** Name of the graph output that holds its next value. */
  readonly next: string;
  readonly length: number;
  /** The parameter that this is, or whose velocity this is. */
  readonly parameter: string;
  readonly role: 'parameter' | 'velocity' | 'statistic';
}

/**
 * Inputs: `input` [B, C, H, W], `targets` [B, K] class probabilities, `learningRate` [], and every state tensor.
 * Outputs: `loss` [], `logits` [B, K], and every state tensor's next value.
 */
export interface TrainingStep {
  readonly graph: Graph;
  readonly state: readonly StateSpec[];
}

/**
 * Makes the step that trains the classifier `source`, whose first input takes images [B, C, H, W] and whose first
 * output is logits [B, K].
 *
 * @throws UsageError when a batch leaves a normalization one value per channel.
 * @throws Error when an operator between a parameter and the loss has no gradient.
 * @example trainingStep(model.graph, { batch: 32, momentum: 0.9, nesterov: true, weightDecay: 5e-4 })
 */
export function trainingStep(source: Graph, options: StepOptions): TrainingStep {
  const { graph, logits, loss, parameters } = withLoss(source, options);
  const gradients = gradient(graph, loss, parameters);
  const b = new Builder(graph);
  const rateOf = ratesOf(b, options);
  graph.outputs.splice(0, graph.outputs.length, loss, logits);
  const statistics = updateStatistics(b);
  const trained = parameters.flatMap((value, i) => {
    return updateParameter(b, value, gradients[i]!, rateOf(value.name), options);
  });
  graph.removeDead();
  return { graph, state: [...trained, ...statistics] };
}

/** The forward pass of training, up to its loss. */
export interface TrainingPass {
  readonly graph: Graph;
  readonly logits: Value;
  readonly loss: Value;
  /** What is trained. */
  readonly parameters: readonly Value[];
}

/**
 * The forward pass of training with its loss: a fixed batch, batch normalization with the batch's own statistics where it
 * is not frozen, and the mean cross-entropy against `targets`.
 */
export function withLoss(
  source: Graph,
  { batch, statisticsMomentum = 0.1, frozen = new Map() }: Pick<StepOptions, 'batch' | 'statisticsMomentum' | 'frozen'>,
): TrainingPass {
  const { graph } = source.clone();
  const images = graph.inputs[0]!;
  images.dims = images.dims!.with(0, batch);
  inferShapes(graph);
  const parameters = [...trainedParameters(graph)].filter(({ name }) => !frozen.has(name));
  for (const node of graph.sorted()) {
    if (!frozen.has(node.inputs[1]?.name ?? '')) useBatchStatistics(graph, node, statisticsMomentum);
  }
  foldFrozen(graph, frozen);
  const b = new Builder(graph);
  const logits = graph.outputs[0]!;
  const targets = b.input('targets', logits.dims!);
  const loss = b.op('SoftmaxCrossEntropy', [logits, targets], {}, 'loss');
  loss.name = 'loss';
  return { graph, logits, loss, parameters };
}

/** Fills in what is frozen and makes frozen normalizations part of their convolutions. */
function foldFrozen(graph: Graph, frozen: ReadonlyMap<string, Tensor>): void {
  if (frozen.size === 0) return;
  for (const value of [...trainedParameters(graph), ...runningStatistics(graph)]) value.tensor = frozen.get(value.name);
  rewrite(graph, [foldBatchNorm]);
}

/** The learning rate of each parameter: the graph's input, times the parameter's factor. */
function ratesOf(b: Builder, { rateOf = () => 1 }: StepOptions): (parameter: string) => Value {
  const rates = new Map([[1, b.input('learningRate', [])]]);
  return (parameter) => {
    const factor = rateOf(parameter);
    const rate = rates.get(factor) ?? b.op('Mul', [rates.get(1)!, b.number(factor)], {}, 'learningRate.scaled');
    rates.set(factor, rate);
    return rate;
  };
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

/** Makes each running statistic an input and its next value an output. */
function updateStatistics(b: Builder): StateSpec[] {
  const statistics = [...runningStatistics(b.graph)].filter(({ users }) => [...users].every(isTraining));
  return statistics.map((value) => {
    const next = nextStatistic(value);
    const flat = flatInput(b, value);
    b.output(next, `${flat.name}.next`);
    return spec(flat, flat.name, 'statistic');
  });
}

const isTraining = (node: Node): boolean => opTypeOf(node) === 'BatchNormTraining';

/** What a running statistic of `withLoss`'s graph becomes after the step: BatchNormTraining's inputs 3, 4 → outputs 1, 2. */
export function nextStatistic(statistic: Value): Value {
  const [node] = statistic.users;
  return node!.outputs[node!.inputs.indexOf(statistic) - 2]!;
}

function updateParameter(b: Builder, value: Value, gradient: Value, rate: Value, options: StepOptions): StateSpec[] {
  const length = elements(value.dims as number[]);
  const isVector = value.dims!.length === 1;
  const weight_decay = isVector ? (options.normWeightDecay ?? options.weightDecay) : options.weightDecay;
  const velocity = b.input(`${value.name}.velocity`, [length]);
  const flatGradient = b.op('Reshape', [gradient, b.ints([length])]);
  const flat = flatInput(b, value);
  const { momentum, nesterov } = options;
  const attributes = { momentum, nesterov: nesterov ? 1 : 0, weight_decay };
  const update = b.node('SgdUpdate', [flat, flatGradient, velocity, rate], attributes, 2, `${value.name}.update`);
  b.output(update.outputs[0]!, `${flat.name}.next`);
  b.output(update.outputs[1]!, `${velocity.name}.next`);
  return [spec(flat, flat.name, 'parameter'), spec(velocity, flat.name, 'velocity')];
}

/**
 * Turns an initializer into a flat graph input, which keeps the name; its users get it in its own shape. (ONNX Runtime
 * scales a tensor with trailing axes of 1, such as a 1x1 filter, many times slower than the same numbers in a row.)
 */
function flatInput(b: Builder, value: Value): Value {
  const flat = new Value(value.name, value.dtype, [elements(value.dims as number[])]);
  value.name = `${value.name}.shaped`;
  b.graph.initializers.delete(value);
  b.graph.inputs.push(flat);
  const shaped = b.op('Reshape', [flat, b.ints(value.dims as number[])]);
  b.graph.replaceAllUses(value, shaped);
  return flat;
}

function spec(value: Value, parameter: string, role: StateSpec['role']): StateSpec {
  return { name: value.name, next: `${value.name}.next`, length: value.dims![0] as number, parameter, role };
}
