/**
 * What decides how a graph runs fastest here: the processor, the version of ONNX Runtime, and how many channels its CPU
 * convolutions compute at a time, a block: 16 with AVX-512, 8 with other vectors. Its operator that brings maps into
 * blocks pads channels to a whole one, so one node on one pixel tells; where that is missing there are no blocks.
 */
import { availableParallelism, cpus } from 'node:os';
import { Graph, Value } from '../graph/graph.ts';
import { tensor } from '../tensor.ts';
import { loadRuntime } from './ort-node.ts';
import { Session } from './session.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** Version of ONNX Runtime. */
  readonly runtime: string;
  /** Channels that its convolutions compute at a time; undefined where it has no such layout. */
  readonly block: number | undefined;
}

const blockedDomain = 'com.microsoft.nchwc';

let known: Promise<Machine> | undefined;

/**
 * This machine, looked at once per process.
 *
 * @throws UsageError when onnxruntime-node is not installed.
 * @example const { graph } = lowerInference(model.graph, await thisMachine());
 */
export function thisMachine(): Promise<Machine> {
  known ??= look();
  return known;
}

async function look(): Promise<Machine> {
  const { env } = await loadRuntime();
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    runtime: env.versions.node ?? env.versions.common,
    block: await block(),
  };
}

async function block(): Promise<number | undefined> {
  const graph = new Graph('block');
  const [x, y] = [new Value('x', 'float32', [1, 4, 1, 1]), new Value('y', 'float32', undefined)];
  graph.inputs.push(x);
  graph.outputs.push(y);
  graph.opsets.set(blockedDomain, 1);
  graph.add({ op: 'ReorderInput', domain: blockedDomain, name: 'block', inputs: [x], outputs: [y] });
  try {
    const session = await Session.open(graph, { threads: 1 });
    const results = await session.run(new Map([['x', tensor('float32', [1, 4, 1, 1])]]));
    await session.dispose();
    return results.get('y')?.dims[1]; // [1, block, 1, 1]
  } catch {
    return undefined; // the operator is not there
  }
}
