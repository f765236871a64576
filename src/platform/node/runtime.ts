/** ONNX Runtime in Node. It is an optional peer dependency, loaded when the first session opens. */
import type * as Ort from 'onnxruntime-common';
import { UsageError } from '../../errors.ts';

type Runtime = typeof import('onnxruntime-node');

export async function loadRuntime(): Promise<typeof Ort> {
  return load();
}

/** Names of the execution providers that are part of the runtime's library or installed next to it. */
export async function availableProviders(): Promise<readonly string[]> {
  return (await load()).listSupportedBackends().map(({ name }) => name);
}

async function load(): Promise<Runtime> {
  try {
    const ort: Runtime = await import('onnxruntime-node');
    ort.env.logLevel = 'fatal'; // errors are thrown, not printed
    return ort;
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('onnxruntime-node is not installed. Run `npm install onnxruntime-node`.');
  }
}
