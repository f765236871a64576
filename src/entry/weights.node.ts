/** `resnext/weights` in Node: `weights.ts`, files by path, and the Hugging Face hub. */

export { type HubConfig, readHubConfig, writeHubConfig } from '../checkpoints/hub-config.ts';
export { type HubEnvironment, hubEnvironment } from '../hub/environment.ts';
export { resolveModel } from '../hub/resolve.ts';
export { fromStateDict, type ImportedModel, type ImportStateDictOptions } from '../saved/external.ts';
export { fileSource, openStateDict, readSafetensorsFile, writeSafetensorsFile } from '../weights/files.ts';
export * from './weights.ts';
