/** Runs a graph a single time. */
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../tensor.ts';
import type { Platform, SessionOptions } from './contract.ts';

/** A platform's `runOnce`, given its sessions. */
export const onceWith =
  ({ open }: Platform['Session']): Platform['runOnce'] =>
  async (graph: Graph, feeds: ReadonlyMap<string, Tensor>, options: SessionOptions = {}) => {
    const session = await open(graph, options);
    try {
      return await session.run(feeds);
    } finally {
      await session.dispose();
    }
  };
