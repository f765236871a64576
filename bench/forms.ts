/**
 * The cost of a block's form on the runtime: one image through ResNeXt-50 in forms A, B and C, and through a network
 * that emulates grouped convolutions with Split, convolutions and Concat, before and after `optimizeGraph`.
 *
 *   npm run build && npx tsx bench/forms.ts [variant]
 *
 * The two of each pair are timed alternately in one process; a line shows both medians and their ratio.
 */
import { initialWeights, resnext, setWeights, variant } from 'resnext';
import { Builder, compareGraphs, type Graph, optimizeGraph, type Tensor, tensor } from 'resnext/graph';

const name = process.argv[2] ?? 'resnext50_32x4d';
const runs = 15;

const inForm = (form: 'A' | 'B' | 'C'): Graph => {
  const model = resnext({ ...variant(name), form });
  setWeights(model, initialWeights(model, 1));
  return model.graph;
};

/** Emulates every grouped convolution, like a framework without them. */
function emulated(source: Graph): Graph {
  const { graph } = source.clone();
  const b = new Builder(graph);
  for (const node of graph.sorted()) {
    const group = Number(node.attributes.get('group')?.value ?? 1);
    if (node.op !== 'Conv' || group === 1) continue;
    const [x, weight] = node.inputs;
    const { dims, data } = weight!.tensor as Tensor<'float32'>;
    const sizes = b.ints(new Array(group).fill((x!.dims![1] as number) / group));
    const slices = b.node('Split', [x, sizes], { axis: 1 }, group).outputs;
    const run = data.length / group;
    const parts = slices.map((slice, i) => {
      const filters = tensor('float32', [dims[0]! / group, ...dims.slice(1)], data.slice(i * run, (i + 1) * run));
      const list = (attribute: string) => node.attributes.get(attribute)!.value as number[];
      return b.op('Conv', [slice, b.constant(filters)], { strides: list('strides'), pads: list('pads') });
    });
    graph.replaceAllUses(node.outputs[0]!, b.op('Concat', parts, { axis: 1 }));
  }
  graph.removeDead();
  return graph;
}

async function line(title: string, slow: Graph, fast: Graph): Promise<void> {
  const { milliseconds, difference } = await compareGraphs(slow, fast, { batch: 1, runs });
  const [a, b] = milliseconds;
  const numbers = `${a.toFixed(1).padStart(8)} ms ${b.toFixed(1).padStart(8)} ms   ratio ${(a / b).toFixed(2)}`;
  console.log(`${title.padEnd(34)}${numbers}   difference ${difference.toExponential(1)}`);
}

const c = inForm('C');
console.log(`${name}, one image, median of ${runs}`);
await line('form A against form C', inForm('A'), c);
await line('form B against form C', inForm('B'), c);
const split = emulated(c);
await line('emulated against optimized', split, optimizeGraph(split).graph);
await line('form C against form C optimized', c, optimizeGraph(c).graph);
