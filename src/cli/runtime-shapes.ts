/** Shapes as ONNX Runtime infers them, for graphs with operators that this package does not know. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Graph, Value } from '../graph/graph.ts';
import { readOnnxFile } from '../onnx/files.ts';
import { scratchFolder } from '../platform/node/scratch.ts';
import { optimizedFile, Session } from '../platform/node/session.ts';
import { prepared } from '../rewrite/convert.ts';

/**
 * The graph with the shapes that ONNX Runtime finds, or the graph itself if it finds no more. The runtime writes the
 * shapes of outputs into the model that it saves, so the values in question are made outputs of a copy.
 *
 * @throws UsageError if the runtime does not open the graph.
 */
export async function withRuntimeShapes(source: Graph): Promise<Graph> {
  const [{ graph }, { graph: asked }] = [source.clone(), source.clone()];
  const valuesOf = ({ nodes }: Graph) => [...nodes].flatMap(({ outputs }) => outputs);
  const unclear = new Set(valuesOf(prepared(source).graph).flatMap(({ name, dims }) => (dims ? [] : name)));
  const isUnclear = ({ name, dims }: Value) => name !== '' && !dims && unclear.has(name);
  const unknown = new Map(valuesOf(graph).flatMap((value) => (isUnclear(value) ? [[value.name, value]] : [])));
  if (unknown.size === 0) return source;
  for (const value of valuesOf(asked))
    if (isUnclear(value) && !asked.outputs.includes(value)) asked.outputs.push(value);
  const folder = await scratchFolder('shapes');
  try {
    const session = await Session.open(asked, { saveTo: folder, optimization: 'disabled', threads: 1 });
    await session.dispose();
    const inferred = await readOnnxFile(join(folder, optimizedFile));
    let found = 0;
    for (const { name, dims, dtype } of inferred.outputs) {
      const value = unknown.get(name);
      if (!value || !dims) continue;
      value.dims = dims;
      value.dtype ??= dtype;
      found++;
    }
    return found > 0 ? graph : source;
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {}); // some systems keep files that are still mapped
  }
}
