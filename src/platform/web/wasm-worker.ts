/** The worker for sessions on WebAssembly. */
import * as ort from 'onnxruntime-web/wasm';
import { serve } from './serve.ts';

serve(ort);
