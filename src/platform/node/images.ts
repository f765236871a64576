/** Reading images in Node: sharp, libjpeg-turbo, files on disk and worker threads. */
export type * from '../contract.ts';
export { openDecoder, openImage, readsHeic, thumbnail } from './decode.ts';
export { isFile, readImageFile, readPacked } from './files.ts';
export { availableCores, availableMemory, startWorkers } from './workers.ts';
