/** The worker for sessions on WebGPU, with a build of the runtime that is twice as large. */
import * as ort from 'onnxruntime-web/webgpu';
import { serve } from './serve.ts';

serve(ort);
