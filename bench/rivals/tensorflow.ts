/** TensorFlow.js in Node. Started by `children.ts`. */
import { createRequire } from 'node:module';
import { serve } from '../contenders/serve.ts';
import { parameterCount, type Settings } from './network.ts';
import { pinned } from './pinned.ts';
import { type TensorFlow, tensorFlowStep } from './tensorflow-step.ts';

const name = '@tensorflow/tfjs';

await serve(async (settings: Settings) => {
  const step = await tensorFlowStep(loaded(), settings);
  return { facts: { parameters: parameterCount(settings.config), versions: pinned(name) }, step };
});

function loaded(): TensorFlow {
  try {
    return createRequire(import.meta.url)(name) as TensorFlow;
  } catch {
    throw Object.assign(new Error(`'${name}'`), { code: 'ERR_MODULE_NOT_FOUND' });
  }
}
