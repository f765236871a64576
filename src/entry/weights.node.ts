/**
 * Files of weights in memory, checkpoints from elsewhere, the catalog of published weights.
 * In Node: files by path, and the Hugging Face hub, as well.
 *
 * @module resnext/weights
 */

export { type HubEnvironment, hubEnvironment } from '../hub/environment.ts';
export { resolveModel } from '../hub/resolve.ts';
export { fileSource, openStateDict, readSafetensorsFile, writeSafetensorsFile } from '../weights/files.ts';
export * from './weights.ts';
