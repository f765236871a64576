/** Plain ONNX Runtime in Node. Started by `children.ts`. */
import * as ort from 'onnxruntime-node';
import { type OnnxSettings, onnxTask } from './onnx.ts';
import { serve, version } from './serve.ts';

await serve((settings: OnnxSettings) =>
  onnxTask(ort, settings, { intraOpNumThreads: settings.threads }, version('onnxruntime-node')),
);
