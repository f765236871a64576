/** The execution providers of onnxruntime-node. Its types stay out of this file, and so out of the public ones. */
import { loadRuntime } from './runtime.ts';

/** Names of the execution providers that are part of the runtime's library or installed next to it. */
export async function availableProviders(): Promise<readonly string[]> {
  return (await loadRuntime()).listSupportedBackends().map(({ name }) => name);
}
