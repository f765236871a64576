/** ONNX Runtime in Node. It is an optional peer dependency, loaded when the first session opens. */
import type * as Ort from 'onnxruntime-common';
import { UsageError } from '../errors.ts';

export async function loadRuntime(): Promise<typeof Ort> {
  try {
    const ort: typeof Ort = await import('onnxruntime-node');
    ort.env.logLevel = 'fatal'; // what goes wrong is thrown, not printed
    return ort;
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('onnxruntime-node is not installed; install it with `npm install onnxruntime-node`.');
  }
}
