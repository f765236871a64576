/**
 * TensorBoard's events as protobuf, as far as they are needed: fields of event.proto and summary.proto, by their numbers.
 *
 *   Event     1 wall_time (double)   2 step   3 file_version   5 summary   7 session_log
 *   Summary   1 value, repeated      Value   1 tag   2 simple_value (float)   4 image
 *   Image     1 height   2 width   3 colorspace   4 encoded_image_string
 *   SessionLog  1 status
 */

/** A number, or a picture as the bytes of a PNG or JPEG file. */
export type EventValue =
  | { readonly tag: string; readonly scalar: number }
  | { readonly tag: string; readonly image: Uint8Array; readonly width: number; readonly height: number };

const text = new TextEncoder();

/** An integer in groups of seven bits, the last group without the highest bit. */
function varint(value: number): number[] {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

const joined = (parts: readonly (Uint8Array | readonly number[])[]): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

/** The types of fields on the wire. */
const [isVarint, isDouble, isBytes, isFloat] = [0, 1, 2, 5];
const key = (field: number, type: number): number[] => varint(field * 8 + type);

const intField = (field: number, value: number): Uint8Array => joined([key(field, isVarint), varint(value)]);

const bytesField = (field: number, bytes: Uint8Array): Uint8Array =>
  joined([key(field, isBytes), varint(bytes.length), bytes]);

const textField = (field: number, value: string): Uint8Array => bytesField(field, text.encode(value));

function doubleField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return joined([key(field, isDouble), bytes]);
}

function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return joined([key(field, isFloat), bytes]);
}

/** @param time in seconds since 1970. */
const event = (time: number, step: number, ...fields: readonly Uint8Array[]): Uint8Array =>
  joined([doubleField(1, time), ...(step === 0 ? [] : [intField(2, step)]), ...fields]); // 0 is the default

/** The event that every file begins with. */
export const versionEvent = (time: number): Uint8Array => event(time, 0, textField(3, 'brain.Event:2'));

/** Tells TensorBoard to forget what other files have from this step on: a run continues here after it was interrupted. */
export const startEvent = (time: number, step: number): Uint8Array =>
  event(time, step, bytesField(7, intField(1, sessionStart)));
const sessionStart = 1;

/** Numbers and pictures of one step. */
export function summaryEvent(time: number, step: number, values: readonly EventValue[]): Uint8Array {
  return event(time, step, bytesField(5, joined(values.map((value) => bytesField(1, encoded(value))))));
}

function encoded(value: EventValue): Uint8Array {
  if ('scalar' in value) return joined([textField(1, value.tag), floatField(2, value.scalar)]);
  const { tag, image, width, height } = value;
  const size = [intField(1, height), intField(2, width), intField(3, rgb)];
  return joined([textField(1, tag), bytesField(4, joined([...size, bytesField(4, image)]))]);
}
const rgb = 3;

/** What is read of an event. */
export interface ReadEvent {
  readonly step: number;
  readonly tags: readonly string[];
}

/** The step and the tags of an event that was written here. */
export function readEvent(bytes: Uint8Array): ReadEvent {
  let step = 0;
  const tags: string[] = [];
  for (const [field, value] of fieldsOf(bytes)) {
    if (field === 2 && typeof value === 'number') step = value;
    if (field !== 5 || typeof value === 'number') continue;
    for (const [, summary] of fieldsOf(value)) {
      const [tag] = typeof summary === 'number' ? [] : [...fieldsOf(summary)].filter(([number]) => number === 1);
      if (tag && typeof tag[1] !== 'number') tags.push(new TextDecoder().decode(tag[1]));
    }
  }
  return { step, tags };
}

/** The fields of a message: integers as numbers, others as bytes. */
function* fieldsOf(bytes: Uint8Array): Generator<readonly [field: number, value: number | Uint8Array]> {
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const head = next();
    const type = head % 8;
    if (type === isVarint) yield [Math.floor(head / 8), next()];
    else {
      const length = type === isDouble ? 8 : type === isFloat ? 4 : next();
      yield [Math.floor(head / 8), bytes.subarray(at, at + length)];
      at += length;
    }
  }
}
