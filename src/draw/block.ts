/** Draws one residual block of a graph as the paper draws it. */
import { checkArgument, checkOptions, type FieldsOf, kind } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { type Graph, graphKind } from '../graph/graph.ts';
import { flag } from '../options.ts';
import { type Dominators, dominators } from './dominators.ts';
import type { Flow } from './flow.ts';
import { layoutBlock } from './layout.ts';
import { type BlockEnd, type BlockStructure, endsBlock, findBlocks, readBlock } from './structure.ts';
import { type DrawingOptions, drawingFields, toSvg } from './svg.ts';

/** What a drawing of a block shows. */
export interface BlockDrawingOptions extends DrawingOptions {
  /** Also show batch normalization, activations, biases and map sizes. Defaults to false. */
  readonly details?: boolean;
}

const blockKind = kind('the name of a block', (value) => typeof value === 'string');
const fields: FieldsOf<BlockDrawingOptions> = { ...drawingFields, details: flag({ doc: 'show everything' }) };

/** The blocks of a graph that can be drawn, in order: `['layer1.0', 'layer1.1', …]`. */
export function blockNames(graph: Graph): string[] {
  checkArgument('graph', graph, graphKind);
  return findBlocks(graph).map(({ name }) => name);
}

/**
 * Draws a block as SVG. The drawing shows what the graph computes: channels, kernels, groups and strides come from its
 * weights and nodes, whoever made it.
 *
 * @param block the block's path, such as `layer2.1`, or the name of the Add that ends it. Defaults to the first block.
 * @throws UsageError if the graph has no such block.
 * @example await writeFile('block.svg', drawBlock(resnext(variant('resnext50_32x4d')).graph, 'layer1.1'));
 */
export function drawBlock(graph: Graph, block?: string, options: BlockDrawingOptions = {}): string {
  checkArgument('graph', graph, graphKind);
  checkOptions(fields, options);
  if (block !== undefined) checkArgument('block', block, blockKind);
  const structure = blockStructure(graph, block);
  const { details = false, ...drawing } = options;
  const caption = { title: `Block ${structure.name}`, description: describeBlock(structure) };
  return toSvg(layoutBlock(structure, { details }), caption, drawing);
}

/** @throws UsageError if the graph has no such block. */
export function blockStructure(graph: Graph, block?: string): BlockStructure {
  const above = dominators(graph);
  return readBlock(findBlock(graph, block, above), graph, above);
}

function findBlock(graph: Graph, block: string | undefined, above: Dominators): BlockEnd {
  const blocks = findBlocks(graph, above);
  if (blocks.length === 0) {
    throw new UsageError(`"${graph.name}" has no residual block to draw: no sum has terms that start at one value.`);
  }
  const found = block === undefined ? blocks[0] : blocks.find(({ name }) => name === block);
  if (found) return found;
  const node = [...graph.nodes].find(
    (node) => (node.name === block || node.outputs[0]?.name === block) && endsBlock(node, above),
  );
  if (node && block) return { name: block, node };
  throw new UsageError(`There is no block "${block}". The blocks are ${listed(blocks.map(({ name }) => name))}.`);
}

const listed = (names: readonly string[]): string =>
  names.length > 40 ? `${names.slice(0, 20).join(', ')}, … ${names.at(-1)}` : names.join(', ');

/** Describes the block in a few sentences, for screen readers. */
function describeBlock({ input, output, residual, shortcut }: BlockStructure): string {
  const addition =
    shortcut === undefined
      ? ''
      : shortcut.length === 0
        ? ' The input is added.'
        : ` The shortcut is added: ${describeFlow(shortcut)}.`;
  return `${input.channels ?? '?'} channels in. ${describeFlow(residual)}.${addition} ${output.channels ?? '?'} channels out.`;
}

function describeFlow(flow: Flow): string {
  const parts = flow.flatMap((part) => {
    if (part.kind === 'tag') return [];
    if (part.kind === 'layer') return part.lines.join(', ');
    const { branches, join } = part;
    const how = { '+': 'added', '×': 'multiplied', concatenate: 'concatenated' }[join] ?? `joined by ${join}`;
    const [first] = branches;
    return `${branches.length} branches, the first being ${first!.length > 0 ? describeFlow(first!) : 'the input'}, ${how}`;
  });
  return parts.join('; then ');
}
