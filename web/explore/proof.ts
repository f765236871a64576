/**
 * The proof in numbers: a block in its three forms, with the same weights and the same input, on ONNX Runtime, and in
 * float64 by the package's interpreter. Runs in the engine.
 */
import {
  type Form,
  forms,
  initialWeights,
  type ResNeXtOptions,
  resnext,
  setWeights,
  stems,
  variant,
  verify,
  type Weights,
} from 'resnext';
import { cost, type Graph, interpret, Session, type Tensor, tensor, thisMachine, Value } from 'resnext/graph';
import { type BlockChoice, blockGraph, optionsOf, pathOf } from './block.ts';

/** What is run: a form, or form A with a ReLU at the end of every branch, which is not a form. */
export const contestants = [...forms, 'broken'] as const;
export type Contestant = (typeof contestants)[number];

/** The result of one contestant on ONNX Runtime. */
export interface ProofRow {
  readonly parameters: number;
  readonly macs: number;
  readonly nodes: number;
  /** Median time of a run, in milliseconds. */
  readonly milliseconds: number;
  /** Largest difference of an output from form C's. */
  readonly difference: number;
}

export interface ProofStep {
  /** What is done now. */
  readonly text: string;
  /** From 0 to 1. */
  readonly share: number;
}

export interface Proof {
  readonly rows: Readonly<Record<Contestant, ProofRow>>;
  /** Height and width of the input, and its channels. */
  readonly input: readonly [channels: number, side: number];
  /** The largest output of form C, in absolute value. */
  readonly largest: number;
  /** Largest differences of forms A and B from C in float64, on a small input. */
  readonly float64: { readonly side: number; readonly A: number; readonly B: number };
  /** Largest relative differences from form C in a training step in float64; absent if the network is too large for it. */
  readonly training?: { readonly gradient: number; readonly statistics: number };
  readonly threads: number;
}

const timedRuns = 7;
/** Multiply-adds that the interpreter does in about a second. */
const patience = 12e6;
/** Parameters up to which a training step in float64 takes some seconds. */
const trainable = 1e6;

export async function prove(choice: BlockChoice, report: (step: ProofStep) => void): Promise<Proof> {
  const options = optionsOf(choice);
  const path = pathOf(choice);
  const weights = variedWeights(options);
  report({ text: 'Loading ONNX Runtime', share: 0.02 });
  const outputs = new Map<Contestant, Tensor>();
  const measured = new Map<Contestant, Omit<ProofRow, 'difference'>>();
  let input: Tensor | undefined;
  // Form C is the reference; it comes first so that everything else can be compared with it.
  const order = ['C', 'B', 'A', 'broken'] as const;
  for (const [i, name] of order.entries()) {
    const graph = filledBlock({ ...options, form: name === 'broken' ? 'A' : name }, path, weights);
    if (name === 'broken') rectifyBranches(graph);
    input ??= randomInput(graph);
    report({ text: name === 'broken' ? 'Running the broken form A' : `Running form ${name}`, share: (i + 0.5) / 5 });
    const { output, milliseconds } = await run(graph, input);
    outputs.set(name, output);
    measured.set(name, { ...cost(graph), milliseconds });
  }
  report({ text: 'Comparing in float64', share: 0.85 });
  const float64 = inFloat64(choice, options, path, weights, measured.get('C')!.parameters);
  report({ text: 'Comparing gradients', share: 0.9 });
  const training = await inTraining(options);
  const reference = outputs.get('C')!;
  const rows = Object.fromEntries(
    order.map((name) => [name, { ...measured.get(name)!, difference: distance(outputs.get(name)!, reference) }]),
  ) as Record<Contestant, ProofRow>;
  const [, channels, side] = input!.dims as [number, number, number];
  return {
    rows,
    input: [channels, side],
    largest: largestOf(reference),
    float64,
    ...(training && { training }),
    threads: (await thisMachine()).cores,
  };
}

/** Initial weights, with normalizations that do something: scales, shifts and statistics that vary. */
function variedWeights(options: ResNeXtOptions): Weights {
  const weights = initialWeights(resnext(options), 1);
  const random = generator(2);
  for (const [name, { data }] of weights) {
    const isScale = /bn\d\.weight$|running_var$|downsample\.\d\.weight$/.test(name) && data.length > 0;
    const isShift = /\.bias$|running_mean$/.test(name);
    if (weights.get(name)!.dims.length > 1 || !(isScale || isShift)) continue;
    for (let i = 0; i < data.length; i++) data[i] = isScale ? 0.5 + random() : random() - 0.5;
  }
  return weights;
}

function filledBlock(options: ResNeXtOptions, path: string, weights: Weights): Graph {
  const model = resnext(options);
  setWeights(model, weights);
  return blockGraph(model.graph, path);
}

/** Puts a ReLU between each branch of form A and the sum. */
function rectifyBranches(graph: Graph): void {
  const sum = [...graph.nodes].find(({ op }) => op === 'Sum');
  sum?.inputs.forEach((branch, i) => {
    const rectified = new Value(`${branch!.name}.relu`, branch!.dtype, branch!.dims);
    graph.add({ op: 'Relu', name: rectified.name, inputs: [branch], outputs: [rectified] });
    graph.setInput(sum, i, rectified);
  });
}

/** Maps are never negative inside of a network, since a ReLU comes before them. */
function randomInput(graph: Graph): Tensor {
  const dims = graph.inputs[0]!.dims!.map((dim) => (typeof dim === 'number' ? dim : 1));
  const random = generator(3);
  return tensor(
    'float32',
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => Math.max(0, 3 * random() - 1)),
  );
}

async function run(graph: Graph, input: Tensor): Promise<{ output: Tensor; milliseconds: number }> {
  const session = await Session.open(graph);
  try {
    const feeds = new Map([['x', input]]);
    const [output] = [...(await session.run(feeds)).values()];
    const times: number[] = [];
    for (let i = 0; i < timedRuns; i++) {
      const start = performance.now();
      await session.run(feeds);
      times.push(performance.now() - start);
    }
    return { output: output!, milliseconds: times.sort((a, b) => a - b)[Math.floor(timedRuns / 2)]! };
  } finally {
    await session.dispose();
  }
}

/** The block on as large an input as the interpreter has time for. */
function inFloat64(
  choice: BlockChoice,
  options: ResNeXtOptions,
  path: string,
  weights: Weights,
  parameters: number,
): Proof['float64'] {
  const side = [8, 4, 2].find((size) => parameters * size * size < patience) ?? 2;
  const scale =
    stems[variant(choice.network).stem!].stride *
    2 ** Math.max(0, choice.stage - (choice.position === 'first' ? 2 : 1));
  const small = { ...options, inputSize: side * scale };
  const output = (form: Form) => {
    const graph = filledBlock({ ...small, form }, path, weights);
    return [...interpret(graph, new Map([['x', randomInput(graph)]])).values()][0]!;
  };
  const reference = output('C');
  return { side, A: distance(output('A'), reference), B: distance(output('B'), reference) };
}

/** Every gradient, and the running statistics after a training step, of the network up to this block. */
async function inTraining(options: ResNeXtOptions): Promise<Proof['training']> {
  const model = resnext({ ...options, classes: 10, inputSize: 32 });
  if (cost(model.graph).parameters > trainable) return undefined;
  const { forms: results } = await verify(model.config, initialWeights(model, 1), { runs: 1 });
  const largest = (measure: 'gradient64' | 'statistics64') => Math.max(...results.map((form) => form[measure] ?? 0));
  return { gradient: largest('gradient64'), statistics: largest('statistics64') };
}

function distance(a: Tensor, b: Tensor): number {
  let largest = 0;
  for (let i = 0; i < a.data.length; i++) largest = Math.max(largest, Math.abs(Number(a.data[i]) - Number(b.data[i])));
  return largest;
}

function largestOf({ data }: Tensor): number {
  let largest = 0;
  for (const value of data) largest = Math.max(largest, Math.abs(Number(value)));
  return largest;
}

/** Uniform numbers in [0, 1), the same every time (Lehmer's generator, modulo 2³¹ − 1). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
