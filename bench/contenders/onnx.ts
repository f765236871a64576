/** An ONNX file in plain ONNX Runtime, in Node or WebAssembly. */
import type * as Ort from 'onnxruntime-common';
import { images } from './images.ts';
import type { Task } from './serve.ts';

export interface OnnxSettings {
  readonly file: string;
  /** Dimensions of the input: [N, C, H, W]. */
  readonly dims: readonly number[];
  readonly threads: number;
}

/** Its defaults, except for the number of threads. */
export async function onnxTask(
  ort: Pick<typeof Ort, 'InferenceSession' | 'Tensor'>,
  { file, dims }: OnnxSettings,
  options: Ort.InferenceSession.SessionOptions,
  versions: Readonly<Record<string, string>>,
): Promise<Task> {
  const session = await ort.InferenceSession.create(file, { graphOptimizationLevel: 'all', ...options });
  const feeds = { [session.inputNames[0]!]: new ort.Tensor('float32', images(dims), dims) };
  const run = async () => (await session.run(feeds))[session.outputNames[0]!]!;
  const { data } = await run();
  return { facts: { versions, logits: Array.from(data as Float32Array) }, step: async () => void (await run()) };
}
