/**
 * A zip or tar archive of class folders as a dataset. It may be laid out as a folder may: splits with classes in them, or
 * classes, and either in one folder around everything.
 */
import { basename } from 'node:path';
import { constants, inflateRawSync } from 'node:zlib';
import type { Part, Parts } from '../data/datasets.ts';
import { checkHalves, named, type Split, splitOfName, splits } from '../data/layout.ts';
import {
  describeSkipped,
  emptyListing,
  isHidden,
  isImage,
  isImageName,
  isOtherName,
  type LeftOut,
  leaveOut,
  usualExtensions,
} from '../data/listing.ts';
import { Column, Names } from '../data/names.ts';
import { UsageError } from '../errors.ts';
import { withFile } from '../files.ts';
import { firstOf } from '../options.ts';
import { fileSource } from '../weights/files.ts';
import type { Source } from '../weights/source.ts';
import { type Location, PackedList } from './packed-list.ts';
import type { Member } from './tar.ts';

/**
 * Lists the images of an archive. Those with an unusual extension are recognized by their first bytes.
 *
 * @param file the path of the archive without compression.
 * @throws UsageError if there are none; FormatError if the archive is damaged.
 */
export async function readArchive(path: string, members: Members, file = path): Promise<Parts> {
  const { images, leftOut, links } = await listArchive(members, file);
  if (images.names.length > 0) return partsOf(path, images, [...describeSkipped([leftOut]), ...onLinks(path, links)]);
  throw new UsageError(
    `"${path}" contains no images (${usualExtensions}). Pack folders of images, one for each class.`,
  );
}

/** Yields the files of an open archive, and calls `onLink` with the path of each link. */
export type Members = (source: Source, onLink: (path: string) => void) => Iterable<Member>;

/** What an archive contains. */
export interface Listed {
  readonly images: Images;
  readonly leftOut: LeftOut;
  /** Number of links to images, which are not followed. */
  readonly links: number;
}

/** The images of an archive, in its order. */
export async function listArchive(members: Members, file: string): Promise<Listed> {
  const images = new Images(file);
  const doubtful: Member[] = [];
  let links = 0;
  const onLink = (name: string) => {
    if (isImageName(name)) links += 1;
  };
  withFile(file, (opened) => {
    for (const member of members(opened, onLink)) {
      if (member.name.split('/').some(isHidden) || isOtherName(member.name)) continue;
      if (isImageName(member.name)) images.add(member);
      else doubtful.push(member);
    }
  });
  const leftOut = emptyListing();
  const source = fileSource(file);
  for (const member of doubtful) {
    if (await isImage(member.name, () => headOf(member, source))) images.add(member);
    else leaveOut(member.name, leftOut);
  }
  return { images, leftOut, links };
}

function onLinks(path: string, links: number): string[] {
  const many = links === 1 ? '1 link to an image' : `${links} links to images`;
  const advice = 'Pack the images themselves: tar --dereference --hard-dereference';
  return links === 0 ? [] : [`Skipped ${many} in ${basename(path)}. ${advice}.`];
}

/** Compressed bytes that the first bytes of a file are in, with room for what precedes them in a block. */
const headLength = 1 << 12;

function headOf({ start, length, isDeflated }: Member, source: Source): Uint8Array {
  const bytes = new Uint8Array(Math.min(length, headLength));
  source.fill(bytes, start);
  if (!isDeflated) return bytes;
  try {
    return inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return new Uint8Array();
  }
}

/** The images of an archive. */
export class Images {
  /** The file on disk that they are in. */
  readonly file: string;
  readonly names = new Names();
  readonly start = new Column(Float64Array);
  readonly length = new Column(Float64Array);
  readonly isDeflated = new Column(Uint8Array);

  constructor(file: string) {
    this.file = file;
  }

  add({ name, start, length, isDeflated }: Member): void {
    this.names.add(name);
    this.start.push(start);
    this.length.push(length);
    this.isDeflated.push(Number(isDeflated));
  }

  /** Where an image is; as the number of the file, whether it is deflated. */
  at(i: number): Location {
    return { file: this.isDeflated.at(i), start: this.start.at(i), length: this.length.at(i) };
  }
}

/** What a folder in an archive contains. */
interface Child {
  /** Number of images directly in it. */
  images: number;
  readonly folders: Set<string>;
}

function partsOf(path: string, images: Images, skipped: readonly string[]): Parts {
  const { root, children, notes } = findRoot(images.names, path);
  const found = splitsIn(children, path);
  const folders: Partial<Record<Split, string>> = found.size === 0 ? { train: root } : {};
  for (const [split, name] of found) folders[split] = `${root}${name}/`;
  const unused = [...children.keys()].filter((name) => found.size > 0 && ![...found.values()].includes(name));
  if (unused.length > 0) notes.push(`Folders in ${basename(path)} that are not used: ${firstOf(unused, 5)}.`);
  const parts = readSplits(images, folders, path);
  if (parts.classes.length > 0) return { ...parts, notes: [...notes, ...skipped] };
  const label = /\.zip$/i.test(path) ? '' : ', or pack a label beside each image, such as 0001.cls beside 0001.jpg';
  throw new UsageError(
    `"${path}" contains images, but no folders of them. Put those of each class in a folder${label}.`,
  );
}

/** Folders around everything that are looked into. */
const mostAround = 16;

/** The folder with the splits or classes: the archive itself, or the only folder in it that has folders. */
function findRoot(names: Names, path: string): { root: string; children: Map<string, Child>; notes: string[] } {
  let [root, loose] = ['', 0];
  for (let depth = 0; ; depth++) {
    const found = childrenOf(names, root);
    loose += found.loose;
    const [[name, child] = []] = found.children;
    const isOnly = depth < mostAround && found.children.size === 1;
    const isAround = isOnly && child!.folders.size > 0 && splitOfName(name!) === undefined;
    if (isAround) root += `${name}/`;
    else {
      const [images, them] = loose === 1 ? ['1 image', 'it'] : [`${loose} images`, 'them'];
      const note = `Skipped ${images} in ${basename(path)} outside of the class folders. Put ${them} into one.`;
      return { root, children: found.children, notes: loose > 0 ? [note] : [] };
    }
  }
}

function childrenOf(names: Names, root: string): { children: Map<string, Child>; loose: number } {
  const children = new Map<string, Child>();
  let loose = 0;
  for (const name of names) {
    if (!name.startsWith(root)) continue;
    const end = name.indexOf('/', root.length);
    if (end < 0) {
      loose += 1;
      continue;
    }
    const folder = name.slice(root.length, end);
    if (!children.has(folder)) children.set(folder, { images: 0, folders: new Set() });
    const child = children.get(folder)!;
    const inner = name.indexOf('/', end + 1);
    if (inner < 0) child.images += 1;
    else child.folders.add(name.slice(end + 1, inner));
  }
  return { children, loose };
}

/** The folders that are splits: those so named that contain folders rather than images, if there is one to train on. */
function splitsIn(children: ReadonlyMap<string, Child>, path: string): Map<Split, string> {
  const found = new Map<Split, string>();
  const nested = [...children].flatMap(([name, { images, folders }]) =>
    images > 0 || folders.size === 0 ? [] : [name],
  );
  for (const split of splits) {
    const [name, other] = named(nested, split);
    if (name !== undefined) found.set(split, name);
    if (other === undefined || split !== 'train') continue;
    throw new UsageError(
      `"${path}" contains both "${name}" and "${other}", but expected one folder to train on. Merge or rename them.`,
    );
  }
  if (found.size === 0) checkHalves(path, nested);
  return found.has('train') || found.size === children.size ? found : new Map();
}

/** @param folders the folder of each split in the archive, with a slash at the end. */
function readSplits(
  images: Images,
  folders: Readonly<Partial<Record<Split, string>>>,
  path: string,
): Omit<Parts, 'notes'> {
  const { file } = images; // the lists of names are not kept
  const known = classesIn(images.names, folders.train === undefined ? Object.values(folders) : [folders.train]);
  const classes = [...new Set([...known].map((name) => name.normalize()))].sort();
  const labels = new Map(classes.map((name, label) => [name, label]));
  const parts: Partial<Record<Split, Part>> = {};
  for (const [split, folder] of Object.entries(folders) as [Split, string][]) {
    const place = `${path}${folder === '' ? '' : `/${folder.slice(0, -1)}`}`;
    const list = new PackedList(place, classes, ({ file: isDeflated, start, length }) => {
      return { path: file, start, length, packing: isDeflated ? 'deflate' : 'stored' };
    });
    for (let i = 0; i < images.names.length; i++) {
      const [className, key] = within(images.names.at(i), folder);
      if (className === undefined) continue;
      const label = labels.get(className.normalize());
      if (label === undefined) {
        throw new UsageError(
          `Class "${className}" is in "${place}" but not in the folder to train on. Add it there, or remove it here.`,
        );
      }
      list.add({ key, label, ...images.at(i) });
    }
    parts[split] = { place, samples: list.sorted() };
  }
  return { classes, ...parts };
}

function classesIn(names: Names, folders: readonly string[]): Set<string> {
  const found = new Set<string>();
  for (const name of names) {
    for (const folder of folders) {
      const [className] = within(name, folder);
      if (className !== undefined) found.add(className);
    }
  }
  return found;
}

/** The class folder and the rest of a path in a folder; nothing if it is elsewhere, or directly in the folder. */
function within(name: string, folder: string): readonly [string, string] | readonly [undefined, ''] {
  const end = name.startsWith(folder) ? name.indexOf('/', folder.length) : -1;
  return end < 0 ? [undefined, ''] : [name.slice(folder.length, end), name.slice(end + 1)];
}
