/**
 * A file of weights in any container, told by its first bytes and not by its name. What a download often leaves in place
 * of weights (a web page, a Git LFS pointer, another format) is refused by what it seems to be.
 */
import { FormatError } from '../errors.ts';
import { byteLength } from '../tensor.ts';
import { chooseWeights } from './nested.ts';
import { openSafetensors } from './safetensors.ts';
import type { Source } from './source.ts';
import type { StateDict } from './state-dict.ts';
import { readTorchStream } from './torch-stream.ts';
import { readTorchZip } from './torch-zip.ts';
import { readTorch7 } from './torch7.ts';
import { unpackedLimit } from './zip.ts';

const headLength = 512;

/** The beginning of a file, as bytes and as text of one byte per character. */
interface Head {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/**
 * The tensors in a file of weights: safetensors, PyTorch's `.pth` in both containers, either of them in a zip archive,
 * or a network of Torch7. Nothing in the file is run, and a tensor's elements are read when `read()` asks for them, so
 * `source` must stay what it is. `name` is what messages call the file.
 *
 * @throws FormatError when it is none of these, not whole, or names what weights do not need.
 * @example
 * const { tensors, notes } = await readStateDict(bytesSource(bytes), 'resnext50_32x4d.pth');
 * const weight = toFloat32(tensors.get('conv1.weight')!.read()); // [64, 3, 7, 7]
 */
export async function readStateDict(source: Source, name: string): Promise<StateDict> {
  return readContainer(source, name, true);
}

async function readContainer(source: Source, name: string, mayWrap: boolean): Promise<StateDict> {
  const { bytes, text } = headOf(source);
  if (isSafetensors(text)) return openSafetensors(source, name);
  if (text.startsWith('PK')) {
    const found = await readTorchZip(source, name);
    if ('inner' in found && !mayWrap) {
      throw new FormatError(`${name} is a zip archive in a zip archive. Unpack the outer one first.`);
    }
    const opened =
      'object' in found
        ? chooseWeights(found.object, found.size, name)
        : await readContainer(found.inner, found.innerName, false);
    checkReading(opened, found.inMemory, source, name);
    return opened;
  }
  if (bytes[0] === 0x80) return chooseWeights(readTorchStream(source, name), source.size, name);
  if (isTorch7(bytes)) return readTorch7(source, name);
  throw new FormatError(
    `${name} ${seems({ bytes, text })}; expected safetensors, a .pth of PyTorch or a .t7 of Torch7.`,
  );
}

/** What was unpacked stays in memory while tensors are read from it. */
function checkReading({ tensors }: StateDict, inMemory: number, source: Source, name: string): void {
  const largest = Array.from(tensors.values(), byteLength).reduce((most, bytes) => Math.max(most, bytes), 0);
  if (inMemory === 0 || inMemory + largest <= unpackedLimit(source)) return;
  const takes = `unpacks to ${inMemory} bytes and has a tensor of ${largest}`;
  throw new FormatError(`${name} has ${source.size} bytes, ${takes}: too much to read it so. Unpack it first.`);
}

function headOf(source: Source): Head {
  const buffer = new Uint8Array(Math.min(headLength, source.size));
  const bytes = buffer.subarray(0, source.fill(buffer, 0));
  return { bytes, text: String.fromCharCode(...bytes) };
}

/** A header of less than 4 GiB, and the brace that it begins with. */
const isSafetensors = (text: string): boolean => text.startsWith('\0\0\0\0{', 4);

/** A table or an object of a class, the first of its file. */
function isTorch7(bytes: Uint8Array): boolean {
  if (bytes.length < 12) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = view.getInt32(0, true);
  return (type === 3 || type === 4) && view.getInt32(4, true) === 1;
}

/** What other files begin with. */
const signatures: readonly (readonly [begins: (head: Head) => boolean, what: string])[] = [
  [({ bytes }) => bytes.length === 0, 'is empty'],
  [
    ({ text }) => /^(ï»¿)?\s*<(!doctype|html|head|\?xml|!--)/i.test(text),
    'seems to be a web page, not what it links to',
  ],
  [
    ({ text }) => text.startsWith('version https://git-lfs'),
    'is a Git LFS pointer: fetch the file with "git lfs pull"',
  ],
  [({ text }) => text.startsWith('\x89HDF\r\n'), 'seems to be a Keras .h5, which is not read'],
  [({ text }) => text.startsWith('\x1f\x8b'), 'seems to be compressed by gzip: unpack it first'],
  [({ text }) => text.startsWith('\x93NUMPY'), 'seems to be one array of NumPy'],
  [({ text }) => text.startsWith('ustar', 257), 'seems to be a tar archive: unpack it first'],
  [({ text }) => /^[34]\r?\n1\r?\n/.test(text), 'seems to be a Torch7 file in ASCII: save it in binary'],
  [({ text }) => /^\s*\{/.test(text), 'seems to be JSON: an index of shards is opened by its path'],
  [({ bytes }) => isOnnx(bytes), 'seems to be an ONNX model, which is a network and not a file of weights'],
];

/** A protobuf that begins with a small ir_version (field 1) and then a field of ModelProto's. */
const isOnnx = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x08 &&
  bytes[1]! > 0 &&
  bytes[1]! < 32 &&
  [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42].includes(bytes[2]!);

const seems = (head: Head): string =>
  signatures.find(([begins]) => begins(head))?.[1] ?? 'begins like no file of weights, or is damaged';
