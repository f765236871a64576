/**
 * ONNX files on disk, in Node. External data is in files in the model's folder or below it. A model that points
 * elsewhere is rejected, so that opening an untrusted model reads nothing but that model.
 */
import { realpathSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, join, relative } from 'node:path';
import { checkArgument, checkOptions, type FieldsOf, path as pathKind } from '../arguments.ts';
import { FormatError } from '../errors.ts';
import { stageFile, withFile, writeFileAtomically } from '../files.ts';
import { type Graph, graphKind } from '../graph/graph.ts';
import { text, whole } from '../options.ts';
import type { ExternalData } from './external-data.ts';
import { readOnnx } from './read.ts';
import { encodeChunks, inlineLimit } from './write.ts';

/** Whether large tensors go to a second file. */
export interface WriteFileOptions {
  /** With more bytes of tensors than this, large ones go to a second file beside the first. Defaults to 1 GiB. */
  readonly externalAbove?: number;
  /** Appended to the first file's name to name the second. Defaults to `.data`. */
  readonly externalSuffix?: string;
}

const fields: FieldsOf<WriteFileOptions> = {
  externalAbove: whole({ from: 0, doc: 'bytes of tensors in one file' }),
  externalSuffix: text({ doc: 'end of the second file’s name' }),
};

/** Whether a file is an ONNX file by its name. */
export const isOnnxFile = (path: string): boolean => extname(path).toLowerCase() === '.onnx';

/**
 * Reads a graph from an ONNX file, with the data in files beside it.
 *
 * @throws UsageError if the file cannot be read, FormatError if it is not a valid ONNX model.
 * @example const graph = await readOnnxFile('model.onnx');
 */
export async function readOnnxFile(path: string): Promise<Graph> {
  checkArgument('path', path, pathKind);
  return readOnnx(readRegion(path, 0, undefined), { name: path, external: dataBeside(path) });
}

/**
 * Writes a graph as an ONNX file. An existing file at `path` stays intact until the new one is complete.
 *
 * @throws UsageError if an initializer has no weights, or the file system refuses.
 * @example await writeOnnxFile('model.onnx', model.graph);
 */
export async function writeOnnxFile(path: string, graph: Graph, options: WriteFileOptions = {}): Promise<void> {
  checkArgument('path', path, pathKind);
  checkArgument('graph', graph, graphKind);
  checkOptions(fields, options);
  const { externalAbove: above = inlineLimit, externalSuffix: suffix = '.data' } = options;
  const { model, data } = encodeChunks(graph, { location: `${basename(path)}${suffix}`, above });
  if (data.length === 0) return writeFileAtomically(path, model);
  const beside = await stageFile(`${path}${suffix}`, each(data));
  try {
    const main = await stageFile(path, model);
    await beside.commit();
    await main.commit();
  } catch (error) {
    await beside.discard();
    throw error;
  }
}

function* each<T>(makers: Iterable<() => T>): Generator<T> {
  for (const make of makers) yield make();
}

function readRegion(path: string, offset: number, length: number | undefined): Uint8Array {
  return withFile(path, ({ size, fill }) => {
    const bytes = new Uint8Array(Math.max(0, Math.min(length ?? size, size - offset)));
    return bytes.subarray(0, fill(bytes, offset));
  });
}

/** Reads the data files of the model at `path`. */
function dataBeside(path: string): ExternalData {
  const folder = dirname(path);
  return (location, offset, length) => {
    const target = join(folder, location);
    const refuse = (): never => {
      throw new FormatError(`${path}: its data file "${location}" is outside the model's folder and was not read.`);
    };
    if (isAbsolute(location) || location.includes('\\') || leaves(folder, target)) refuse();
    try {
      if (leaves(realpathSync(folder), realpathSync(target))) refuse();
    } catch (error) {
      if (error instanceof FormatError) throw error;
      throw new FormatError(`${path}: its data file "${location}" is missing. Put it beside the model.`);
    }
    return readRegion(target, offset, length);
  };
}

function leaves(folder: string, target: string): boolean {
  const path = relative(folder, target);
  return path === '' || path === '..' || path.startsWith('../') || path.startsWith('..\\') || isAbsolute(path);
}
