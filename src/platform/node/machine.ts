/**
 * Detects what determines the fastest way to run a graph here: the processor, the version of ONNX Runtime, and how many
 * channels its CPU convolutions compute at a time. The operator that reorders a map into blocks pads its channels to a
 * whole block, so running it on one pixel reveals the block's size. Without that operator there are no blocks.
 */
import { availableParallelism, cpus } from 'node:os';
import { cacheFolder } from '../../cache/folder.ts';
import { readTuning, type Tuning } from '../../cache/tuning.ts';
import { Graph, Value } from '../../graph/graph.ts';
import { tensor } from '../../tensor.ts';
import type { Machine } from '../contract.ts';
import { onceWith } from '../once.ts';
import { loadRuntime } from './runtime.ts';
import { Session } from './session.ts';

const blockedDomain = 'com.microsoft.nchwc';

let known: Promise<Machine> | undefined;

export function thisMachine(): Promise<Machine> {
  known ??= detect();
  return known;
}

async function detect(): Promise<Machine> {
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
    const results = await onceWith(Session)(graph, new Map([['x', tensor('float32', [1, 4, 1, 1])]]), { threads: 1 });
    return results.get('y')?.dims[1]; // [1, block, 1, 1]
  } catch {
    return undefined; // this runtime lacks the operator
  }
}

export async function tuning(): Promise<Tuning | undefined> {
  const folder = cacheFolder();
  return folder === undefined ? undefined : readTuning(folder, await thisMachine());
}
