/**
 * The images in a larger file, in its order and without labels, for work that takes every image whatever it shows. Names are
 * those in the archive, after its path: `shards/07.tar/0001.jpg`. Rows of a Parquet file have numbers: `a.parquet/0000123`.
 */
import type { PackedSample } from '../data/samples.ts';
import { listArchive, type Members } from './archive.ts';
import { decompressed } from './gzip.ts';
import type { PackedFiles } from './packed-kinds.ts';
import { parquetImages } from './parquet.ts';
import { tarMembers } from './tar.ts';
import { zipMembers } from './zip.ts';

/** Images that are made when they are asked for. Their label is 0. */
export interface PackedImages {
  readonly length: number;
  /** The image at an index below `length`. */
  at(index: number): PackedSample;
}

/** How to find the images of a file, by its form. `name` is the file's in the names of its images. */
const readers: Readonly<
  Record<PackedFiles['kind'], (path: string, name: string, imageColumn?: string) => Promise<PackedImages>>
> = {
  zip: async (path, name) => archiveImages(path, name, (source) => zipMembers(source, name)),
  tar: async (path, name) =>
    archiveImages(await decompressed(path), name, (source, onLink) => tarMembers(source, name, onLink)),
  parquet: async (path, name, imageColumn) => {
    const { length, at } = await parquetImages(path, imageColumn);
    return { length, at: (row) => ({ ...at(row), name: `${name}/${String(row).padStart(7, '0')}`, label: 0 }) };
  },
};

/**
 * Finds the images of a larger file.
 *
 * @param name the file's in the names of its images.
 * @param imageColumn of a Parquet file. Default: the one whose name says so.
 * @throws FormatError if the file is damaged; UsageError if it has no such column.
 * @example const images = await packedImages('tar', '/data/07.tar', '07.tar');
 */
export const packedImages = (
  kind: PackedFiles['kind'],
  path: string,
  name: string,
  imageColumn?: string,
): Promise<PackedImages> => readers[kind](path, name, imageColumn);

async function archiveImages(file: string, name: string, members: Members): Promise<PackedImages> {
  const { images } = await listArchive(members, file);
  return {
    length: images.names.length,
    at: (index) => {
      const { file: isDeflated, start, length } = images.at(index);
      const packing = isDeflated ? 'deflate' : 'stored';
      return { path: file, start, length, packing, name: `${name}/${images.names.at(index)}`, label: 0 };
    },
  };
}
