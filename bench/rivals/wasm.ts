/** onnxruntime-web's WebAssembly in Node, with threads and SIMD. Started by `children.ts`. */
import type * as Ort from 'onnxruntime-common';
import { type OnnxSettings, onnxTask } from '../contenders/onnx.ts';
import { serve } from '../contenders/serve.ts';
import { pinned } from './pinned.ts';

await serve(async (settings: OnnxSettings) => {
  const name: string = 'onnxruntime-web'; // it need not be installed for this file to be checked
  const ort = (await import(name)) as typeof Ort;
  ort.env.wasm.numThreads = settings.threads;
  return onnxTask(ort, settings, { executionProviders: ['wasm'] }, pinned(name));
});
