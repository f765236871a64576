/** The worker of sessions on WebGPU, whose build of the runtime is twice as large. */
import * as ort from 'onnxruntime-web/webgpu';
import { serve } from './serve.ts';

serve(ort);
