/** What a browser runs graphs with. Threads of WebAssembly need a page that is isolated from other origins. */
import type { Tuning } from '../../cache/tuning.ts';
import type { Machine } from '../contract.ts';

/** The operators of ONNX Runtime's blocked layout are not in its builds for browsers. */
const block = undefined;

export async function thisMachine(): Promise<Machine> {
  const cores = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  return { cpu: navigator.userAgent, cores, runtime: 'onnxruntime-web', block };
}

export async function availableProviders(): Promise<readonly string[]> {
  const adapter = await navigator.gpu?.requestAdapter();
  return adapter ? ['wasm', 'webgpu'] : ['wasm'];
}

/** Nothing is measured in a browser. */
export const tuning = async (): Promise<Tuning | undefined> => undefined;
