/**
 * What requests ask for: images and parameters, in one of three forms. A JSON document has images as base64, as `data:` URLs or
 * as URLs to fetch; a form has files, and fields for parameters; any other body is one image file. The declared type of an
 * image is ignored, and so is what its file is called: the first bytes tell its format.
 */

import { isRecord } from '../arguments.ts';
import type { NamedImage } from '../data/image-source.ts';
import { printable } from '../errors.ts';
import { describeOther, formatOf } from '../platform/formats/formats.ts';
import { sizeIn } from '../platform/formats/size.ts';
import type { BodyBytes } from './body.ts';
import { Problem } from './problem.ts';

/** An image of a request, by its bytes or by its URL. */
export interface SentImage {
  readonly name: string;
  readonly bytes?: Uint8Array;
  readonly url?: string;
}

/** A request as it was sent. Parameters are not checked. */
export interface Sent {
  readonly images: readonly SentImage[];
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Whether it is one image, not in a list. */
  readonly isSingle: boolean;
}

/**
 * @param query parameters in the address, which those in the body override.
 * @throws Problem with 400 for what is neither, and 413 for too many images.
 */
export async function readSent(
  bytes: BodyBytes,
  contentType: string | undefined,
  { query, maxImages }: { readonly query: Readonly<Record<string, unknown>>; readonly maxImages: number },
): Promise<Sent> {
  const type = (contentType ?? '').split(';')[0]!.trim().toLowerCase();
  const sent = await sentAs(type, bytes, contentType ?? '', maxImages);
  if (sent.images.length > maxImages) {
    throw new Problem(413, `The request has ${sent.images.length} images, but expected at most ${maxImages}.`);
  }
  return { ...sent, parameters: { ...query, ...sent.parameters } };
}

async function sentAs(type: string, bytes: BodyBytes, contentType: string, maxImages: number): Promise<Sent> {
  if (type === 'application/json' || type.endsWith('+json')) return sentAsJson(parseJsonBody(bytes));
  if (type === 'multipart/form-data') return sentAsForm(bytes, contentType, maxImages);
  if (bytes.length === 0) throw new Problem(400, 'The request has no image. Send its file as the body.');
  return { images: [{ name: 'image', bytes }], parameters: {}, isSingle: true };
}

/** @throws Problem with 400 unless the body is JSON. */
export function parseJsonBody(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Problem(400, 'The body is not JSON, which its content type says that it is.');
  }
}

const expectedInputs = 'expected base64, a data: URL, a URL, or an object with b64 or url';

function sentAsJson(document: unknown): Sent {
  if (!isRecord(document)) throw new Problem(400, `The body is a list or a value, but expected { "inputs": … }.`);
  const { inputs = document.instances, parameters, ...rest } = document;
  if (inputs === undefined) throw new Problem(400, `The body has no "inputs": ${expectedInputs}, or a list of these.`);
  if (parameters !== undefined && !isRecord(parameters)) throw new Problem(400, '"parameters" is not an object.');
  const list: readonly unknown[] = Array.isArray(inputs) ? inputs : [inputs];
  const { instances: _, ...others } = rest;
  return { images: list.map(sentInput), parameters: { ...others, ...parameters }, isSingle: !Array.isArray(inputs) };
}

function sentInput(input: unknown, n: number): SentImage {
  const name = `inputs[${n}]`;
  if (typeof input === 'string') return fromText(input, name);
  if (isRecord(input)) {
    const { b64, data, url, name: given = name } = input;
    const text = b64 ?? data ?? url;
    if (typeof text === 'string' && typeof given === 'string') return fromText(text, printable(given));
  }
  throw new Problem(400, `${name} is no image: ${expectedInputs}.`);
}

function fromText(text: string, name: string): SentImage {
  if (/^https?:\/\//i.test(text)) {
    if (!URL.canParse(text)) throw new Problem(400, `${name} is not a URL.`);
    return { name, url: text };
  }
  const [head] = /^data:[^,]{0,200},/i.exec(text) ?? [''];
  if (head !== '' && !/;base64,$/i.test(head)) throw new Problem(400, `${name} is a data: URL that is not base64.`);
  return { name, bytes: Buffer.from(text.slice(head.length), 'base64') };
}

/** Fields that a form may have besides its images. */
const maxFields = 32;

async function sentAsForm(bytes: BodyBytes, contentType: string, maxImages: number): Promise<Sent> {
  checkParts(bytes, contentType, maxImages);
  let form: FormData;
  try {
    form = await new Response(bytes, { headers: { 'content-type': contentType } }).formData();
  } catch {
    throw new Problem(400, 'The body is not a form with the boundary that its content type names.');
  }
  const images: SentImage[] = [];
  const parameters: Record<string, unknown> = {};
  for (const [field, value] of form) {
    if (typeof value === 'string') parameters[field] = value;
    else images.push({ name: printable(value.name || field), bytes: new Uint8Array(await value.arrayBuffer()) });
  }
  if (images.length === 0) throw new Problem(400, 'The form has no image. Send each as a file.');
  return { images, parameters, isSingle: images.length === 1 };
}

/** Counts the parts before they are parsed, since many small ones would take long. */
function checkParts(bytes: BodyBytes, contentType: string, maxImages: number): void {
  const [, quoted, plain] = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType) ?? [];
  const boundary = `--${quoted ?? plain ?? ''}`;
  let parts = 0;
  for (let at = bytes.indexOf(boundary); at >= 0; at = bytes.indexOf(boundary, at + boundary.length)) {
    if (++parts > maxImages + maxFields + 1) {
      throw new Problem(413, `The form has more than ${maxImages} images and ${maxFields} fields.`);
    }
  }
}

/**
 * An image for the batcher, once its bytes are there. What its first bytes tell is checked here, before it takes a place in
 * the queue.
 *
 * @throws Problem with 415 for another format, and 413 for too many pixels.
 */
export function checkedImage(name: string, bytes: Uint8Array, maxMegapixels: number): NamedImage {
  const format = formatOf(bytes);
  if (format === undefined) throw new Problem(415, `Image "${name}" cannot be read: ${describeOther(bytes)}.`);
  const size = sizeIn(bytes, format);
  if (size && size.width * size.height > maxMegapixels * 1e6) {
    throw new Problem(
      413,
      `Image "${name}" has ${size.width} × ${size.height} pixels, more than ${maxMegapixels} megapixels. Make it smaller.`,
    );
  }
  return { name, image: bytes };
}
