/** An ONNX file, optimized in the engine: what was found, what was refused, what it costs, and how its blocks look. */
import { drawBlock, initialWeights, resnext, setWeights, variant } from 'resnext';
import {
  blockNames,
  type Comparison,
  type Cost,
  compareGraphs,
  cost,
  type Graph,
  optimizeGraph,
  type RewriteReport,
  readOnnx,
  writeOnnx,
} from 'resnext/graph';

export interface OptimizeChoice {
  /** Undefined is a network of this package in form A, to try it with. */
  readonly file: File | undefined;
}

export interface Optimized {
  readonly name: string;
  readonly report: RewriteReport;
  readonly costs: readonly [before: Cost, after: Cost];
  /** On random inputs; or why they were not compared. */
  readonly comparison: Comparison | { readonly problem: string } | undefined;
  /** The blocks that can be drawn before and after. */
  readonly blocks: readonly string[];
  readonly file: Blob;
}

export interface BlockPair {
  readonly block: string;
  readonly theme: 'light' | 'dark';
}

/** Two drawings as SVG. */
export interface BlockDrawings {
  readonly before: string;
  readonly after: string;
}

let graphs: readonly [before: Graph, after: Graph] | undefined;

export async function optimize({ file }: OptimizeChoice, report: (text: string) => void): Promise<Optimized> {
  report('Reading the graph');
  const source = file ? readOnnx(new Uint8Array(await file.arrayBuffer()), { name: file.name }) : example();
  report('Looking for patterns');
  const converted = optimizeGraph(source);
  graphs = [source, converted.graph];
  report('Comparing both on random pictures');
  const after = new Set(blockNames(converted.graph));
  return {
    name: file?.name ?? `${exampleName}-a.onnx`,
    report: converted.report,
    costs: [cost(source), cost(converted.graph)],
    comparison: converted.report.changes.length === 0 ? undefined : await compared(source, converted.graph),
    blocks: blockNames(source).filter((name) => after.has(name)),
    file: new Blob([writeOnnx(converted.graph)]),
  };
}

const exampleName = 'resnext20_8x16d_w16_cifar';

function example(): Graph {
  const model = resnext({ ...variant(exampleName), form: 'A' });
  setWeights(model, initialWeights(model, 1));
  return model.graph;
}

async function compared(before: Graph, after: Graph): Promise<Optimized['comparison']> {
  try {
    return await compareGraphs(before, after, { batch: 1 });
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

export async function drawBlocks({ block, theme }: BlockPair): Promise<BlockDrawings> {
  if (!graphs) throw new Error('No graph is open. Choose a file.');
  const [before, after] = graphs.map((graph) => drawBlock(graph, block, { theme }));
  return { before: before!, after: after! };
}
