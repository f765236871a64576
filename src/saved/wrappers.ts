/**
 * Wrappers: what an exported graph does in addition to the network, so that other programs need only a runtime.
 *
 *   normalize   pixels, uint8 [N, H, W, C] → input [N, C, H, W] = (pixels − 255·mean) / (255·std)
 *   grayscale   normalized RGB [N, 3, H, W] → input [N, 1, H, W], the luma; for grayscale networks
 *   softmax     logits [N, K] → probabilities [N, K]
 *
 * The description in the file lists them. When the file is read, they are found by their operators and removed, so a
 * model in memory is always just the network.
 */
import { luma, type Preprocessing } from '../data/presets.ts';
import { FormatError, UsageError } from '../errors.ts';
import { Builder } from '../graph/builder.ts';
import { dataTypeOf } from '../graph/data-types.ts';
import { type Dim, type Graph, Value } from '../graph/graph.ts';
import type { OpType } from '../graph/ops.ts';
import { tensor } from '../tensor.ts';

export const wrapperNames = ['normalize', 'grayscale', 'softmax'] as const;
export type Wrapper = (typeof wrapperNames)[number];

/** The operators of each wrapper, in the order of the data. */
const operators: { readonly [B in Wrapper]: readonly OpType[] } = {
  normalize: ['Cast', 'Transpose', 'Sub', 'Div'],
  grayscale: ['Conv'],
  softmax: ['Softmax'],
};

/**
 * Adds wrappers to the graph of a network, `input` [N, C, H, W] → `logits` [N, K], in place.
 *
 * @throws UsageError if the graph does not have the expected number of channels, or has no classes for a softmax.
 */
export function addWrappers(graph: Graph, preprocessing: Preprocessing, which: readonly Wrapper[]): void {
  const b = new Builder(graph);
  if (which.includes('grayscale')) addGrayscale(b);
  if (which.includes('normalize')) addNormalization(b, preprocessing);
  if (which.includes('softmax')) addSoftmax(b);
}

function addNormalization(b: Builder, { mean, std }: Preprocessing): void {
  const [batch, channels, height, width] = inputDims(b.graph);
  if (mean.length !== channels) {
    const statistics = `mean and std for ${mean.length}`;
    throw new UsageError(`The network has ${channels} input channels, but its preprocessing has ${statistics}.`);
  }
  const constant = (name: string, values: readonly number[]): Value => {
    const contents = Float32Array.from(values, (value) => 255 * value);
    return b.parameter(name, [1, values.length, 1, 1], tensor('float32', [1, values.length, 1, 1], contents));
  };
  const pixels = new Value('pixels', 'uint8', [batch!, height!, width!, channels!]);
  let x = b.op('Cast', [pixels], { to: dataTypeOf('float32') }, 'normalize.cast'); // [N, H, W, C]
  x = b.op('Transpose', [x], { perm: [0, 3, 1, 2] }, 'normalize.transpose'); // [N, C, H, W]
  x = b.op('Sub', [x, constant('normalize.mean', mean)], {}, 'normalize.center');
  replaceInput(b.graph, pixels, b.op('Div', [x, constant('normalize.std', std)], {}, 'normalize.scale'));
}

/** All channels have the same mean and std, so the weighted sum of the normalized channels is the normalized luma. */
function addGrayscale(b: Builder): void {
  const [batch, channels, height, width] = inputDims(b.graph);
  if (channels !== 1)
    throw new UsageError(`The network has ${channels} input channels, but the wrapper "grayscale" expects 1.`);
  const rgb = new Value('input', 'float32', [batch!, 3, height!, width!]);
  const weight = b.parameter(
    'grayscale.weight',
    [1, 3, 1, 1],
    tensor('float32', [1, 3, 1, 1], Float32Array.from(luma)),
  );
  replaceInput(b.graph, rgb, b.op('Conv', [rgb, weight], { kernel_shape: [1, 1] }, 'grayscale')); // [N, 1, H, W]
}

function addSoftmax(b: Builder): void {
  const [logits] = b.graph.outputs;
  if (logits?.name !== 'logits') {
    throw new UsageError(`softmax needs an output "logits", but the network outputs "${logits?.name}". Omit softmax.`);
  }
  b.graph.outputs.length = 0;
  b.output(b.op('Softmax', [logits], { axis: -1 }, 'softmax'), 'probabilities'); // [N, K]
}

/**
 * Removes wrappers from a graph that was read from a file, in place, and restores the usual names of input and output.
 *
 * @param source the file's name, for the error message.
 * @throws FormatError if the graph does not begin and end with the operators of these wrappers.
 */
export function unwrap(graph: Graph, which: readonly Wrapper[], source: string): void {
  for (const each of ['normalize', 'grayscale'] as const) {
    if (which.includes(each)) skipInput(graph, each, source);
  }
  if (which.includes('softmax')) skipOutput(graph, source);
  graph.removeDead();
  if (graph.inputs.length === 1) graph.inputs[0]!.name = 'input';
}

/** Removes a wrapper's operators at the input. */
function skipInput(graph: Graph, which: Wrapper, source: string): void {
  let value = graph.inputs[0];
  for (const op of operators[which]) {
    const [user, ...others] = value?.users ?? [];
    if (user?.op !== op || others.length > 0) throw mismatch(source, which, `its input is not only used by ${op}`);
    value = user.outputs[0];
  }
  const input = new Value('input', 'float32', value!.dims);
  graph.replaceAllUses(value!, input);
  graph.inputs.splice(0, 1, input);
}

function skipOutput(graph: Graph, source: string): void {
  const softmax = graph.outputs[0]?.producer;
  if (softmax?.op !== 'Softmax') throw mismatch(source, 'softmax', 'its output does not come from Softmax');
  graph.outputs.splice(0, 1, softmax.inputs[0]!);
}

const mismatch = (source: string, which: Wrapper, but: string): FormatError =>
  new FormatError(`${source} is described as having the wrapper "${which}", but ${but}. Export the model again.`);

/** Makes `input` the graph's input, and `made` what the users of the former input read. */
function replaceInput(graph: Graph, input: Value, made: Value): void {
  graph.replaceAllUses(graph.inputs[0]!, made);
  graph.inputs.splice(0, 1, input);
}

function inputDims({ inputs }: Graph): readonly Dim[] {
  const [input, ...others] = inputs;
  if (input?.dims?.length === 4 && others.length === 0) return input.dims;
  throw new UsageError(
    `The graph has ${inputs.length} inputs ("${input?.name}" first), but expected one [N, C, H, W].`,
  );
}
