/**
 * Where the images of a list are. Their names are paths from the list's folder, but lists come from other systems, and some
 * have names without the folder or the extension. A few rows tell which is the case.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, parse, sep } from 'node:path';
import { isUrl } from '../data/fetch.ts';
import { commonExtensions, isImageName } from '../data/listing.ts';
import { UsageError } from '../errors.ts';

/** Rows that are looked at. */
const mostLooked = 50;

/** Folders that images often lie in, beside their list. */
const usualFolders = ['train', 'images', 'train_images', 'training', 'img', 'imgs', 'photos', 'data'];

/** Extensions that names may lack. */
const extensions = ['', ...commonExtensions.flatMap((extension) => [extension, extension.toUpperCase()])];

/** How the name of an image becomes a path. */
export interface Place {
  /** The folder that names start from. */
  readonly folder: string;
  /** What is added to names; empty if they are whole. */
  readonly extension: string;
}

/** The name of an image with this system's separators: lists are also written on Windows. */
export const localName = (name: string): string =>
  sep === '/' && name.includes('\\') && !name.includes('/') ? name.replaceAll('\\', '/') : name;

const pathOf = (name: string, { folder, extension }: Place): string =>
  (isAbsolute(name) ? name : join(folder, name)) + extension;

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** Whether an image of this name is found, or the name looks like one. */
export const namesImage = (list: string, name: string): boolean =>
  isUrl(name) || isImageName(name) || placesOf(list, [name]).some((place) => isFile(pathOf(localName(name), place)));

/**
 * Where most of these images are.
 *
 * @param names of all images.
 * @throws UsageError if none of those that are looked at is anywhere.
 */
export function placeOf(list: string, names: { readonly length: number; at(index: number): string }): Place {
  const step = Math.max(1, Math.floor(names.length / mostLooked));
  const looked: string[] = [];
  for (let i = 0; i < names.length && looked.length < mostLooked; i += step) looked.push(localName(names.at(i)));
  const usual = { folder: dirname(list), extension: '' };
  if (looked.some(isUrl)) return usual;
  let [best, most] = [usual, 0];
  for (const place of placesOf(list, looked)) {
    const count = looked.filter((name) => isFile(pathOf(name, place))).length;
    if (count > most) [best, most] = [place, count];
    if (count === looked.length) break;
  }
  if (most > 0) return best;
  const tried = pathOf(looked[0]!, usual);
  throw new UsageError(
    `None of the images in "${list}" were found: there is no file "${tried}", for example. ${adviceFor(list, looked[0]!)}`,
  );
}

/** Folders above the list and beside it, and extensions where names have none. */
function placesOf(list: string, names: readonly string[]): Place[] {
  const own = dirname(list);
  const stem = parse(list).name;
  const folders = [
    own,
    ...[stem, ...usualFolders].map((name) => join(own, name)).filter((folder) => existsSync(folder)),
  ];
  const added = names.every(isImageName) ? [''] : extensions;
  return folders.flatMap((folder) => added.map((extension) => ({ folder, extension })));
}

function adviceFor(list: string, name: string): string {
  const own = dirname(list);
  const above = [join(own, '..'), join(own, '..', '..'), '.'].find((folder) => isFile(join(folder, name)));
  const where =
    above === undefined ? 'Move the list to the folder that they start from' : `Move the list to "${above}"`;
  return `Paths start from the folder of the list, "${own}". ${where}, or change them.`;
}

/** The name of an image without that of its file: empty, or with a separator at the end. */
export function outerName(given: string): string {
  const name = localName(given);
  return name.slice(0, Math.max(name.lastIndexOf('/'), name.lastIndexOf(sep)) + 1);
}

/** The folder of images whose names start so, with a separator at the end. */
export function folderOf(outer: string, { folder }: Place): string {
  if (isUrl(outer)) return outer;
  const inner = join(outer, 'x');
  return (isAbsolute(outer) ? inner : join(folder, inner)).slice(0, -1);
}

/** The name of an image's file. */
export function fileName(given: string, folder: string, { extension }: Place): string {
  const name = localName(given).slice(outerName(given).length);
  if (extension === '') return name;
  return withExtension(folder + name, extension).slice(folder.length);
}

/** Some images may have another extension than most. */
function withExtension(path: string, usual: string): string {
  if (isImageName(path) || isFile(path + usual)) return isImageName(path) ? path : path + usual;
  return path + (extensions.find((extension) => isFile(path + extension)) ?? usual);
}

/** What a place is, as a sentence for the user; undefined if names are paths from the list's folder. */
export function describePlace(list: string, { folder, extension }: Place): string | undefined {
  if (folder === dirname(list) && extension === '') return undefined;
  const ending = extension === '' ? '' : `, with "${extension}" added to their names`;
  return `The images are taken from "${folder}"${ending}.`;
}
