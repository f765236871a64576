/**
 * The formats of images that are read, and how the first bytes of a file tell them. A format that is not in this table is
 * never passed to a decoder, whatever else the decoder could open.
 */

/** An ISO base media file: its size, `ftyp`, and its brands from the ninth byte on. */
const hasBrand = (head: string, ...known: readonly string[]): boolean => {
  if (!head.startsWith('ftyp', 4)) return false;
  const size = Array.from(head.slice(0, 4)).reduce((sum, char) => 256 * sum + char.charCodeAt(0), 0);
  const brands = head.slice(8, size).match(/.{4}/gs) ?? [];
  return brands.some((brand) => known.includes(brand));
};

/** Sizes of the header after a BMP's first 14 bytes: OS/2 1, OS/2 2, Windows 3 to 5. */
const bmpHeaders = [12, 16, 40, 52, 56, 64, 108, 124];

/** Each test gets the first 64 bytes as Latin-1. */
const tests = {
  JPEG: (head: string) => head.startsWith('\xff\xd8\xff'),
  PNG: (head: string) => head.startsWith('\x89PNG\r\n\x1a\n'),
  WebP: (head: string) => head.startsWith('RIFF') && head.startsWith('WEBP', 8),
  GIF: (head: string) => /^GIF8[79]a/.test(head),
  TIFF: (head: string) => ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some((start) => head.startsWith(start)),
  AVIF: (head: string) => hasBrand(head, 'avif', 'avis'),
  BMP: (head: string) =>
    head.startsWith('BM') && bmpHeaders.some((size) => head.startsWith(`${chars(size)}\0\0\0`, 14)),
  PNM: (head: string) => /^P[1-6]\s+(\d+\s|#)|^P7\s+(#|WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE)/.test(head),
  HEIC: (head: string) => hasBrand(head, 'heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1'),
} as const;

const chars = (...codes: readonly number[]): string => String.fromCharCode(...codes);

export type Format = keyof typeof tests;

/** What other files begin with, to name them in an error. Text may follow a byte order mark and spaces. */
const others: readonly (readonly [name: string, ...starts: readonly (string | RegExp)[]])[] = [
  ['SVG', /^(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg|<svg)/is],
  ['an XML file', /^<\?xml/i],
  ['a web page', /^<(!doctype html|html|head|body|script)/i],
  ['PDF', '%PDF-'],
  ['a Photoshop file', '8BPS'],
  ['an icon', '\0\0\x01\0', '\0\0\x02\0'],
  ['JPEG XL', '\xff\x0a', '\0\0\0\x0cJXL '],
  ['JPEG 2000', '\0\0\0\x0cjP  ', '\xff\x4f\xff\x51'],
  ['OpenEXR', '\x76\x2f\x31\x01'],
  ['a ZIP archive', 'PK\x03\x04'],
  ['a video', /^.{4}ftyp(isom|mp4|M4V|qt)/s, /^RIFF.{4}AVI /s, '\x1a\x45\xdf\xa3'],
];

/** The formats in words. HEIC is left out, since usual decoders lack it. */
export const formatNames = 'JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP or PNM';

/** The number of bytes that tell a format. */
export const headBytes = 64;

const headOf = (bytes: Uint8Array): string => chars(...bytes.subarray(0, headBytes));

/** The format of a file that begins with these bytes, or undefined if it is none that is read. */
export function formatOf(bytes: Uint8Array): Format | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'JPEG'; // soon, since most are
  const head = headOf(bytes);
  return (Object.keys(tests) as Format[]).find((format) => tests[format](head));
}

/** Why bytes without a format are not read. */
export function describeOther(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'the file is empty';
  const head = headOf(bytes);
  const text = head.replace(/^\xef\xbb\xbf/, '').trimStart();
  const begins = (start: string | RegExp) => (typeof start === 'string' ? head.startsWith(start) : start.test(text));
  const found = others.find(([, ...starts]) => starts.some(begins));
  return `${found ? `it is ${found[0]}` : 'its format is not supported, or it is damaged'}; expected ${formatNames}`;
}
