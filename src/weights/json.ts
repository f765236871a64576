/**
 * JSON from untrusted files. The result of `JSON.parse` can take forty times as much memory as the text (`[[[[…`), so
 * objects, arrays and members are counted first, byte by byte, and text with more of them than weights need is refused.
 */

/** With these limits the parsed value takes about 50 MB at most. */
const depthLimit = 4;
const nestedLimit = 200_000;
const memberLimit = 600_000;

const codes = { quote: 0x22, comma: 0x2c, backslash: 0x5c, list: 0x5b, listEnd: 0x5d, object: 0x7b, objectEnd: 0x7d };

/**
 * Decodes and parses UTF-8 JSON.
 *
 * @throws an Error whose message says what is wrong: not JSON, nested too deeply, or too large.
 */
export function parseBoundedJson(bytes: Uint8Array): { readonly text: string; readonly value: unknown } {
  checkStructure(bytes);
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  return { text, value: JSON.parse(text) };
}

function checkStructure(bytes: Uint8Array): void {
  let [depth, nested, members] = [0, 0, 0];
  for (let i = 0; i < bytes.length; i += 1) {
    const code = bytes[i];
    if (code === codes.quote) i = endOfString(bytes, i);
    else if (code === codes.comma) members += 1;
    else if (code === codes.objectEnd || code === codes.listEnd) depth -= 1;
    else if (code === codes.object || code === codes.list) {
      depth += 1;
      nested += 1;
      if (depth > depthLimit) throw new Error(`it is nested more than ${depthLimit} levels deep`);
    }
  }
  if (nested > nestedLimit) throw new Error(`it has ${nested} objects and arrays, but the limit is ${nestedLimit}`);
  if (members > memberLimit) throw new Error(`it has ${members} members, but the limit is ${memberLimit}`);
}

/** The position of the quote that closes the string opened at `begin`, or the end of the bytes. */
function endOfString(bytes: Uint8Array, begin: number): number {
  let i = begin + 1;
  while (i < bytes.length && bytes[i] !== codes.quote) i += bytes[i] === codes.backslash ? 2 : 1;
  return i;
}
