/** The browser as a machine. WebAssembly has threads only in a page that is cross-origin isolated. */
import type { Tuning } from '../../cache/tuning.ts';
import type { Machine } from '../contract.ts';

/** onnxruntime-web does not include the operators of the blocked layout. */
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
