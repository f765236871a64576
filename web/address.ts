/**
 * The state of the page in its address, behind the `#`, so that any host of static files will do and a view can be shared:
 * `#explore?variant=resnext50_32x4d&time=1`.
 */

/** Names and values of a part's state. Values that are the default are left out. */
export type Fields = Readonly<Record<string, string>>;

export interface Address {
  /** The name of the part; empty if the address has none. */
  readonly part: string;
  readonly fields: Fields;
}

/** @example parseAddress('#explore?time=1') // { part: 'explore', fields: { time: '1' } } */
export function parseAddress(hash: string): Address {
  const [part = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  return { part, fields: Object.fromEntries(new URLSearchParams(query)) };
}

/** The inverse of `parseAddress`. */
export function formatAddress({ part, fields }: Address): string {
  const query = new URLSearchParams(fields).toString();
  return `#${part}${query && `?${query}`}`;
}
