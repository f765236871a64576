/** ONNX Runtime in Node. It is an optional peer dependency, loaded when the first session opens. */
import { peerError } from './peers.ts';

type Runtime = typeof import('onnxruntime-node');

export async function loadRuntime(): Promise<Runtime> {
  try {
    const ort: Runtime = await import('onnxruntime-node');
    ort.env.logLevel = 'fatal'; // errors are thrown, not printed
    return ort;
  } catch (error) {
    throw peerError('onnxruntime-node', error);
  }
}
