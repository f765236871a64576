/**
 * Reads a weights file in any container, detected from its first bytes rather than its name. What downloads often leave
 * instead of weights (a web page, a Git LFS pointer, another format) is refused with a message that names it.
 */
import { checkOptions } from '../arguments.ts';
import { FormatError } from '../errors.ts';
import { byteLength } from '../tensor.ts';
import { chooseWeights, underPrefix } from './nested.ts';
import { openSafetensors } from './safetensors.ts';
import type { Source } from './source.ts';
import { type StateDict, type StateDictOptions, stateDictFields } from './state-dict.ts';
import { readTorchStream } from './torch-stream.ts';
import { readTorchZip } from './torch-zip.ts';
import { readTorch7 } from './torch7.ts';
import { unpackedLimit } from './zip.ts';

const headLength = 512;

/** The first bytes of a file, also as text with one character per byte. */
interface Head {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/**
 * The tensors in a weights file: safetensors, PyTorch's `.pth` in both containers, either of them in a zip archive, or
 * a Torch7 network. Nothing in the file is executed. A tensor's elements are read by `read()`, so `source` must not
 * change. `name` identifies the file in messages.
 *
 * @throws FormatError if it is none of these, is damaged, or has no weights; UsageError if nothing is under `key`.
 * @example
 * const { tensors, notes } = await readStateDict(bytesSource(bytes), 'resnext50_32x4d.pth');
 * const weight = toFloat32(tensors.get('conv1.weight')!.read()); // [64, 3, 7, 7]
 */
export async function readStateDict(source: Source, name: string, options: StateDictOptions = {}): Promise<StateDict> {
  checkOptions(stateDictFields, options);
  return readContainer(source, name, options, true);
}

async function readContainer(
  source: Source,
  name: string,
  options: StateDictOptions,
  mayWrap: boolean,
): Promise<StateDict> {
  const { bytes, text } = headOf(source);
  const chosen = (opened: StateDict) => (options.key === undefined ? opened : underPrefix(opened, options.key, name));
  if (isSafetensors(text)) return chosen(openSafetensors(source, name));
  if (text.startsWith('PK')) {
    const found = await readTorchZip(source, name);
    if ('inner' in found && !mayWrap) {
      throw new FormatError(`${name} is a zip archive inside a zip archive. Unpack the outer one first.`);
    }
    const opened =
      'object' in found
        ? chooseWeights(found, name, options)
        : await readContainer(found.inner, found.innerName, options, false);
    checkReading(opened, found.inMemory, source, name);
    return opened;
  }
  if (bytes[0] === 0x80) return chooseWeights(readTorchStream(source, name), name, options);
  if (isTorch7(bytes)) return chosen(readTorch7(source, name));
  throw new FormatError(
    `${name} ${appearance({ bytes, text })}; expected safetensors, a PyTorch .pth file or a Torch7 .t7 file.`,
  );
}

/** Unpacked data stays in memory while tensors are read from it. */
function checkReading({ tensors }: StateDict, inMemory: number, source: Source, name: string): void {
  const largest = Array.from(tensors.values(), byteLength).reduce((most, bytes) => Math.max(most, bytes), 0);
  if (inMemory === 0 || inMemory + largest <= unpackedLimit(source)) return;
  const takes = `unpacks to ${inMemory} bytes and contains a tensor of ${largest}`;
  throw new FormatError(`${name} has ${source.size} bytes, ${takes}: too much to read in place. Unpack it first.`);
}

function headOf(source: Source): Head {
  const buffer = new Uint8Array(Math.min(headLength, source.size));
  const bytes = buffer.subarray(0, source.fill(buffer, 0));
  return { bytes, text: String.fromCharCode(...bytes) };
}

/** A header length below 4 GiB, then the header's opening brace. */
const isSafetensors = (text: string): boolean => text.startsWith('\0\0\0\0{', 4);

/** A table or an object, with index 1. */
function isTorch7(bytes: Uint8Array): boolean {
  if (bytes.length < 12) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = view.getInt32(0, true);
  return (type === 3 || type === 4) && view.getInt32(4, true) === 1;
}

/** How other kinds of files begin. */
const signatures: readonly (readonly [matches: (head: Head) => boolean, what: string])[] = [
  [({ bytes }) => bytes.length === 0, 'is empty'],
  [
    ({ text }) => /^(ï»¿)?\s*<(!doctype|html|head|\?xml|!--)/i.test(text),
    'appears to be a web page, not the file it links to',
  ],
  [
    ({ text }) => text.startsWith('version https://git-lfs'),
    'is a Git LFS pointer: fetch the file with "git lfs pull"',
  ],
  [({ text }) => text.startsWith('\x89HDF\r\n'), 'appears to be a Keras .h5 file, which is not supported'],
  [({ text }) => text.startsWith('\x1f\x8b'), 'appears to be compressed with gzip: unpack it first'],
  [({ text }) => text.startsWith('\x93NUMPY'), 'appears to be a NumPy array'],
  [({ text }) => text.startsWith('ustar', 257), 'appears to be a tar archive: unpack it first'],
  [({ text }) => /^[34]\r?\n1\r?\n/.test(text), 'appears to be a Torch7 file in ASCII: save it in binary'],
  [({ text }) => /^\s*\{/.test(text), 'appears to be JSON: to read an index of shards, open it by its path'],
  [({ bytes }) => isOnnx(bytes), 'appears to be an ONNX model, which is a whole network rather than a weights file'],
];

/** A protobuf that starts with a small ir_version (field 1) followed by another ModelProto field. */
const isOnnx = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x08 &&
  bytes[1]! > 0 &&
  bytes[1]! < 32 &&
  [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42].includes(bytes[2]!);

const appearance = (head: Head): string =>
  signatures.find(([matches]) => matches(head))?.[1] ?? 'is not in a known format, or is damaged';
