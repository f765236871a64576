/** `resnext/data` in Node: `data.ts` and folders of images. */

export { type Folder, type FolderOptions, openClasses, openFolder, type Sample } from '../data/folder.ts';
export { type ClassScore, type ConfusedPair, mostConfused } from '../metrics/confusion.ts';
export * from './data.ts';
