/**
 * Tensors of the Open Inference Protocol, as JSON and as bytes: the extension for binary tensors puts a JSON document first,
 * whose length is in a header, and then the bytes of each tensor, little-endian, in its order. An element of BYTES is its
 * length, in four bytes, and the bytes.
 *
 * https://github.com/kserve/open-inference-protocol
 */
import * as z from 'zod';
import { joinBytes } from '../tensor.ts';
import { parseJsonBody } from './input.ts';
import { Problem } from './problem.ts';

const parameters = z.record(z.string(), z.unknown()).optional();
const shape = z.array(z.number().int().min(0)).describe('the first dimension is that of the batch');

const inputSchema = z.object({
  name: z.string(),
  shape,
  datatype: z.string(),
  parameters,
  data: z.array(z.unknown()).optional().describe('absent if it follows the document as bytes'),
});

export const inferRequest = z.object({
  id: z.string().optional(),
  parameters,
  inputs: z.array(inputSchema),
  outputs: z
    .array(z.object({ name: z.string(), parameters }))
    .optional()
    .describe('default: all'),
});

export const inferResponse = z.object({
  model_name: z.string(),
  model_version: z.string(),
  id: z.string().optional(),
  outputs: z.array(
    z.object({ name: z.string(), datatype: z.string(), shape, parameters, data: z.array(z.unknown()).optional() }),
  ),
});

export type InferRequest = z.output<typeof inferRequest>;

/** A tensor of a request or an answer: float32, or bytes. */
export type WireTensor =
  | { readonly name: string; readonly datatype: 'FP32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | {
      readonly name: string;
      readonly datatype: 'BYTES';
      readonly shape: readonly number[];
      readonly data: readonly Uint8Array[];
    };

export const headerLength = 'inference-header-content-length';

/** A request: its document, and the bytes after it. Undefined if the body is one raw tensor. */
export function splitBody(
  bytes: Buffer,
  header: string | undefined,
): { readonly document: unknown; readonly rest: Buffer } | undefined {
  if (header === undefined) return { document: parseJsonBody(bytes), rest: Buffer.alloc(0) };
  const length = Number(header);
  if (length === 0) return undefined;
  if (!Number.isInteger(length) || length < 0 || length > bytes.length) {
    throw new Problem(400, `Inference-Header-Content-Length is ${header}, but the body has ${bytes.length} bytes.`);
  }
  return { document: parseJsonBody(bytes.subarray(0, length)), rest: bytes.subarray(length) };
}

/**
 * The tensors of a request.
 *
 * @throws Problem with 400 for data that do not fit their shape, or of another type than FP32 and BYTES.
 */
export function tensorsIn({ inputs }: InferRequest, rest: Buffer): WireTensor[] {
  let at = 0;
  return inputs.map(({ name, shape, datatype, data, parameters }) => {
    if (datatype !== 'FP32' && datatype !== 'BYTES') {
      throw new Problem(400, `The input "${name}" is ${datatype}, but expected FP32 or BYTES.`);
    }
    const count = shape.reduce((product, dim) => product * dim, 1);
    const size = parameters?.binary_data_size;
    if (size === undefined) {
      const items = (data ?? []).flat(Infinity);
      checkCount(name, items.length, count);
      return datatype === 'FP32'
        ? { name, datatype, shape, data: Float32Array.from(items, (item) => numberOf(name, item)) }
        : { name, datatype, shape, data: items.map((item) => fromBase64(name, item)) };
    }
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || at + size > rest.length) {
      throw new Problem(400, `binary_data_size of "${name}" is ${size}, but ${rest.length - at} bytes follow.`);
    }
    const bytes = rest.subarray(at, at + size);
    at += size;
    const values = datatype === 'FP32' ? floatsIn(name, bytes) : elementsIn(name, bytes);
    checkCount(name, values.length, count);
    return { name, datatype, shape, data: values } as WireTensor;
  });
}

function checkCount(name: string, found: number, expected: number): void {
  if (found === expected) return;
  throw new Problem(400, `The input "${name}" has ${found} elements, but its shape has ${expected}.`);
}

function numberOf(name: string, item: unknown): number {
  if (typeof item === 'number') return item;
  throw new Problem(400, `The input "${name}" has an element that is no number.`);
}

function fromBase64(name: string, item: unknown): Uint8Array {
  if (typeof item === 'string') return Buffer.from(item, 'base64');
  throw new Problem(400, `The input "${name}" has an element that is no text. Send an image as base64.`);
}

function floatsIn(name: string, bytes: Buffer): Float32Array {
  if (bytes.length % 4 !== 0)
    throw new Problem(400, `The input "${name}" has ${bytes.length} bytes, but FP32 has four.`);
  return new Float32Array(new Uint8Array(bytes).buffer); // the bytes may not be aligned
}

function elementsIn(name: string, bytes: Buffer): Uint8Array[] {
  const elements: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = at + 4 <= bytes.length ? bytes.readUInt32LE(at) : Infinity;
    if (at + 4 + length > bytes.length) throw new Problem(400, `The input "${name}" ends within an element.`);
    elements.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return elements;
}

/** The bytes of a tensor as they follow a document. */
export function wireBytes(tensor: WireTensor): Uint8Array {
  if (tensor.datatype === 'FP32') {
    const { buffer, byteOffset, byteLength } = tensor.data;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  return joinBytes(
    tensor.data.flatMap((element) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(element.length);
      return [length, element];
    }),
  );
}
