/**
 * One block of a network in its three forms, as the package builds it. Everything that the page draws or says about a
 * block comes from these graphs: shapes from the nodes, counts from the operators, costs from `cost`.
 */
import { type Form, forms, type ResNeXtOptions, resnext, variant } from 'resnext';
import { type Cost, cost, type Graph, type Node, Value } from 'resnext/graph';

/** Which block: `first` of its stage, where the shapes change, or one of the later ones. */
export type Position = 'first' | 'later';
export const positions: readonly Position[] = ['first', 'later'];

/** A block, as the address has it. The stage counts from 1. */
export interface BlockChoice {
  readonly network: string;
  readonly stage: number;
  readonly position: Position;
}

/** A block in one form. */
export interface FormOfBlock {
  readonly graph: Graph;
  readonly cost: Cost;
  /** Of the residual branch and of the shortcut. */
  readonly convolutions: number;
  readonly normalizations: number;
  /** Operators that add or concatenate branches. */
  readonly sums: number;
  readonly concatenations: number;
}

export interface Block {
  readonly cardinality: number;
  /** Channels of a branch after its first 1x1, and after its 3x3. */
  readonly splitWidth: number;
  readonly branchWidth: number;
  /** Channels of the input and of the output. */
  readonly input: number;
  readonly output: number;
  /** Height and width of the input and of the output. */
  readonly inputSize: number;
  readonly outputSize: number;
  /** Whether the shortcut is the input itself. */
  readonly isIdentity: boolean;
  /** Whether the output channels are weighted by attention. */
  readonly hasAttention: boolean;
  readonly forms: Readonly<Record<Form, FormOfBlock>>;
}

/** The name of the block in the graph. */
export const pathOf = ({ stage, position }: BlockChoice): string => `layer${stage}.${position === 'first' ? 0 : 1}`;

/** Options of a network that ends with the block. */
export function optionsOf({ network, stage, position }: BlockChoice): ResNeXtOptions {
  const depths = [...Array.from({ length: stage - 1 }, () => 1), position === 'first' ? 1 : 2];
  return { ...variant(network), depths, classes: 0 };
}

/** @throws UsageError if there is no such network. */
export function blockOf(choice: BlockChoice): Block {
  const built = Object.fromEntries(forms.map((form) => [form, formOf(graphOf(choice, { form }))]));
  return { ...shapeOf(built.C!.graph, pathOf(choice)), forms: built as Record<Form, FormOfBlock> };
}

/** The block alone, with some options changed. */
const graphOf = (choice: BlockChoice, changes: ResNeXtOptions = {}): Graph =>
  blockGraph(resnext({ ...optionsOf(choice), ...changes }).graph, pathOf(choice));

/** The channels in the middle of a block, and the weights of its first 1x1, its 3x3 and its last 1x1. */
export function blockWeights(choice: BlockChoice): { readonly middle: number; readonly weights: readonly number[] } {
  const graph = graphOf(choice);
  const { cardinality, branchWidth } = shapeOf(graph, pathOf(choice));
  const weights = [1, 2, 3].map((n) => {
    const value = [...graph.initializers].find(({ name }) => name === `${pathOf(choice)}.conv${n}.weight`)!;
    return (value.dims as number[]).reduce((a, b) => a * b, 1);
  });
  return { middle: cardinality * branchWidth, weights };
}

/** Cuts the block out of a network: its input becomes `x`. */
export function blockGraph(graph: Graph, path: string): Graph {
  const nodes = [...graph.nodes].filter(({ name }) => name.startsWith(`${path}.`));
  const [{ inputs }] = nodes as [Node];
  const input = new Value('x', inputs[0]!.dtype, inputs[0]!.dims);
  graph.replaceAllUses(inputs[0]!, input);
  graph.inputs.splice(0, graph.inputs.length, input);
  graph.outputs.splice(0, graph.outputs.length, nodes.at(-1)!.outputs[0]!);
  const kept = new Set(nodes);
  for (const node of [...graph.nodes].reverse()) if (!kept.has(node)) graph.remove(node);
  for (const value of graph.initializers) if (value.users.size === 0) graph.initializers.delete(value);
  return graph;
}

function formOf(graph: Graph): FormOfBlock {
  const count = (...ops: string[]) => [...graph.nodes].filter(({ op }) => ops.includes(op)).length;
  return {
    graph,
    cost: cost(graph),
    convolutions: count('Conv'),
    normalizations: count('BatchNormalization'),
    sums: count('Sum'),
    concatenations: count('Concat'),
  };
}

function shapeOf(graph: Graph, path: string): Omit<Block, 'forms'> {
  const named = new Map([...graph.nodes].map((node) => [node.name, node]));
  const [split, transform] = [1, 2].map((n) => named.get(`${path}.conv${n}`)!) as [Node, Node];
  const channels = ({ outputs }: Node) => outputs[0]!.dims![1] as number;
  const cardinality = transform.attributes.get('group')!.value as number;
  const [, input, inputSize] = graph.inputs[0]!.dims as [string, number, number];
  const [, output, outputSize] = graph.outputs[0]!.dims as [string, number, number];
  return {
    cardinality,
    splitWidth: channels(split) / cardinality,
    branchWidth: channels(transform) / cardinality,
    input,
    output,
    inputSize,
    outputSize,
    isIdentity: ![...named.keys()].some((name) => name.startsWith(`${path}.downsample`)),
    hasAttention: [...named.keys()].some((name) => name.startsWith(`${path}.se`)),
  };
}

/** A block without groups that costs about as much: a plain bottleneck, as in ResNet. */
export interface PlainBlock {
  /** Channels between the 1x1 convolutions. */
  readonly width: number;
  readonly cost: Cost;
}

/** The block with one branch whose weights come closest to those of the given block. */
export function plainBlock(
  choice: BlockChoice,
  { input, output, cardinality, splitWidth, branchWidth }: Block,
): PlainBlock {
  const target = cardinality * (input * splitWidth + 9 * splitWidth * branchWidth + branchWidth * output);
  const ends = input + output;
  const width = Math.max(1, Math.round((Math.sqrt(ends ** 2 + 36 * target) - ends) / 18)); // 9m² + ends·m = target
  const { width: features = 64 } = variant(choice.network);
  const baseWidth = Math.max(1, Math.round((width * 64) / (features * 2 ** (choice.stage - 1))));
  const graph = graphOf(choice, { cardinality: 1, baseWidth, halvedSplit: false });
  return { width: shapeOf(graph, pathOf(choice)).branchWidth, cost: cost(graph) };
}

/** The cost of the whole network. */
export const networkCost = (network: string): Cost => cost(resnext(variant(network)).graph);
