/**
 * Images and transforms: decoding, resizing, augmentation, and loading in the background.
 * In Node: folders of images as well.
 *
 * @module resnext/data
 */

export {
  type Folder,
  type FolderOptions,
  type LabeledImages,
  openClasses,
  openFolder,
} from '../data/folder.ts';
export { type DatasetOptions, openDataset, openLabeledImages } from '../datasets/open.ts';
export * from './data.ts';
