/** Reading images in a browser, with its decoder, in the calling thread. */
export type * from '../contract.ts';
export { isFile, openDecoder, openImage, readImageFile, readPacked, readsHeic, thumbnail } from './decode.ts';
export { availableCores, availableMemory, startWorkers } from './workers.ts';
