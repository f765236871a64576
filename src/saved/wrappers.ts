/**
 * What an exported graph does beside the net, so that a program without this package needs no more than a runtime:
 *
 *   normalize   pixels, uint8 [N, H, W, C] → input [N, C, H, W] = (pixels − 255·mean) / (255·std)
 *   grayscale   normalized RGB [N, 3, H, W] → input [N, 1, H, W], the luma; of a net that sees grayscale images
 *   softmax     logits [N, K] → probabilities [N, K]
 *
 * The description in the file names them. When the file is read again they are found by their operators and taken out,
 * so that a model in memory is always the net alone.
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

/** The operators of each, in the order of the data. */
const operators: { readonly [B in Wrapper]: readonly OpType[] } = {
  normalize: ['Cast', 'Transpose', 'Sub', 'Div'],
  grayscale: ['Conv'],
  softmax: ['Softmax'],
};

/**
 * Puts what is named around a graph that is the net alone, in place: `input` [N, C, H, W] → `logits` [N, K].
 *
 * @throws UsageError when the graph does not fit: an input of other channels, or no classes to tell apart.
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
    const statistics = `mean and std of ${mean.length} channels`;
    throw new UsageError(`The net reads ${channels} channels, but its preprocessing has ${statistics}.`);
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

/** Red, green and blue are normalized alike, so that the weighted sum of the normalized is the normalized luma. */
function addGrayscale(b: Builder): void {
  const [batch, channels, height, width] = inputDims(b.graph);
  if (channels !== 1) throw new UsageError(`A net that reads ${channels} channels takes no grayscale images.`);
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
    throw new UsageError(`softmax needs classes, but the net gives "${logits?.name}"; leave softmax out.`);
  }
  b.graph.outputs.length = 0;
  b.output(b.op('Softmax', [logits], { axis: -1 }, 'softmax'), 'probabilities'); // [N, K]
}

/**
 * Takes what is named out of a graph that was read from a file, in place, and gives input and output their usual names.
 *
 * @param source the file, for the message.
 * @throws FormatError when the graph does not begin and end as the description says.
 */
export function unwrap(graph: Graph, which: readonly Wrapper[], source: string): void {
  for (const each of ['normalize', 'grayscale'] as const) {
    if (which.includes(each)) skipInput(graph, each, source);
  }
  if (which.includes('softmax')) skipOutput(graph, source);
  graph.removeDead();
  if (graph.inputs.length === 1) graph.inputs[0]!.name = 'input';
}

/** The graph begins behind the operators that its input goes through first. */
function skipInput(graph: Graph, which: Wrapper, source: string): void {
  let value = graph.inputs[0];
  for (const op of operators[which]) {
    const [user, ...others] = value?.users ?? [];
    if (user?.op !== op || others.length > 0) throw unlike(source, which, `its input does not go through ${op} alone`);
    value = user.outputs[0];
  }
  const input = new Value('input', 'float32', value!.dims);
  graph.replaceAllUses(value!, input);
  graph.inputs.splice(0, 1, input);
}

function skipOutput(graph: Graph, source: string): void {
  const softmax = graph.outputs[0]?.producer;
  if (softmax?.op !== 'Softmax') throw unlike(source, 'softmax', 'its output does not come from Softmax');
  graph.outputs.splice(0, 1, softmax.inputs[0]!);
}

const unlike = (source: string, which: Wrapper, but: string): FormatError =>
  new FormatError(`${source}: the file says that ${which} is built in, but ${but}. Export the model again.`);

/** The graph reads `input` from now on, and what read its input before reads `made`. */
function replaceInput(graph: Graph, input: Value, made: Value): void {
  graph.replaceAllUses(graph.inputs[0]!, made);
  graph.inputs.splice(0, 1, input);
}

function inputDims({ inputs }: Graph): readonly Dim[] {
  const [input, ...others] = inputs;
  if (input?.dims?.length === 4 && others.length === 0) return input.dims;
  throw new UsageError(`The graph should have one input [N, C, H, W], but has ${inputs.length}: "${input?.name}".`);
}
