/**
 * JSON from files that are not trusted. What `JSON.parse` makes of a text can take forty times its bytes (`[[[[…`), so
 * the text's objects, lists and members are counted first, byte by byte and without making any; what has more than
 * weights need is refused.
 */

/** How much a text may hold, so that what is made of it takes some 50 MB. */
const depthLimit = 4;
const nestedLimit = 200_000;
const memberLimit = 600_000;

const codes = { quote: 0x22, comma: 0x2c, backslash: 0x5c, list: 0x5b, listEnd: 0x5d, object: 0x7b, objectEnd: 0x7d };

/**
 * The text and the value of JSON in UTF-8.
 *
 * @throws an Error whose message says what is wrong: no JSON, nested too deeply, or too much of it.
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
      if (depth > depthLimit) throw new Error(`it is nested more than ${depthLimit} deep`);
    }
  }
  if (nested > nestedLimit) throw new Error(`it has ${nested} objects and lists, and at most ${nestedLimit} are read`);
  if (members > memberLimit) throw new Error(`it has ${members} members, and at most ${memberLimit} are read`);
}

/** The place of the quote that ends the string which begins at `begin`, or the end of the bytes. */
function endOfString(bytes: Uint8Array, begin: number): number {
  let i = begin + 1;
  while (i < bytes.length && bytes[i] !== codes.quote) i += bytes[i] === codes.backslash ? 2 : 1;
  return i;
}
