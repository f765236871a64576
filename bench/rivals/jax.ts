/** jax-js in Node, where its only backend other than plain JavaScript is WebAssembly. Started by `children.ts`. */
import { serve } from '../contenders/serve.ts';
import { type Jax, jaxStep } from './jax-step.ts';
import { parameterCount, type Settings } from './network.ts';
import { pinned } from './pinned.ts';

await serve(async (settings: Settings) => {
  const name: string = '@jax-js/jax'; // it need not be installed for this file to be checked
  const step = await jaxStep((await import(name)) as Jax, settings);
  return { facts: { parameters: parameterCount(settings.config), versions: pinned(name) }, step };
});
