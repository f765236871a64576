/**
 * Images and transforms.
 * In Node: folders of images, and loading in the background, as well.
 *
 * @module resnext/data
 */

export { type Folder, type FolderOptions, openClasses, openFolder, type Sample } from '../data/folder.ts';
export { decode } from '../data/image.ts';
export { type ImageSource, readImage } from '../data/image-source.ts';
export { type Batch, type EpochOptions, Loader, type LoaderOptions } from '../data/loader.ts';
export { type ClassScore, type ConfusedPair, mostConfused } from '../metrics/confusion.ts';
export * from './data.ts';
