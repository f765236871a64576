/** What runs a network in a browser, the fastest first. */
export const providers = ['webgpu', 'wasm'] as const;
export type Provider = (typeof providers)[number];

export const providerNames: Readonly<Record<Provider, string>> = { webgpu: 'WebGPU', wasm: 'WebAssembly' };
