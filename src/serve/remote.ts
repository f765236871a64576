/**
 * Fetches images that requests name by URL. Only hosts of a list are asked, redirects included, and only at public addresses:
 * the address that a name resolves to is checked when the connection is made, which then goes to that address and no other.
 */
import { type LookupAddress, lookup as resolveName } from 'node:dns';
import { get as getHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { get as getHttps } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { shortName } from '../data/fetch.ts';
import { FormatError, messageOf } from '../errors.ts';
import { joinBytes } from '../tensor.ts';
import { Problem } from './problem.ts';

/** Ranges that are not of the public internet, by the registries of special addresses (RFC 6890 and those after it). */
const special: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** Of IPv6, only 2000::/3 is public, without the parts of it that are special or contain an address of IPv4. */
const specialWithin: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const blocked = new BlockList();
for (const [network, prefix] of special) blocked.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of specialWithin) blocked.addSubnet(network, prefix, 'ipv6');
const publicV6 = new BlockList();
publicV6.addSubnet('2000::', 3, 'ipv6');

/** Whether an address is of the public internet. */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !blocked.check(address, 'ipv4');
  return family === 6 && publicV6.check(address, 'ipv6') && !blocked.check(address, 'ipv6');
}

export interface RemoteOptions {
  /** Hosts that may be asked: a name, or `*.` and the end of one. */
  readonly hosts: readonly string[];
  readonly signal: AbortSignal;
  /** Called with the size of each part that arrives. It throws if that is too much. */
  onBytes(count: number): void;
  /** Resolves names. Default: the system's. */
  readonly resolve?: typeof resolveName;
  /** Which addresses may be asked. Default: public ones. */
  isAllowed?(address: string): boolean;
}

const maxRedirects = 3;

/** Seconds for one image, redirects included. */
const maxSeconds = 10;

/**
 * Fetches the bytes of an image.
 *
 * @throws Problem with 403 if the host or its address may not be asked; FormatError if the image cannot be fetched.
 */
export async function fetchRemote(source: string, options: RemoteOptions): Promise<Uint8Array> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(1000 * maxSeconds)]);
  let url = new URL(source);
  for (let hop = 0; hop <= maxRedirects; hop++) {
    checkHost(url, options);
    const response = await get(url, { ...options, signal });
    const { statusCode = 0, headers } = response;
    if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
      response.destroy();
      if (!URL.canParse(headers.location, url)) throw unfetched(source, 'it redirects to what is no URL');
      url = new URL(headers.location, url);
    } else if (statusCode === 200) {
      return read(response, source, options);
    } else {
      response.destroy();
      throw unfetched(source, `the server responded ${statusCode}`);
    }
  }
  throw unfetched(source, `it redirects more than ${maxRedirects} times`);
}

async function read(response: IncomingMessage, source: string, { onBytes }: RemoteOptions): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      onBytes(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof Problem ? error : unfetched(source, messageOf(error));
  }
  return joinBytes(chunks);
}

function checkHost(url: URL, { hosts, isAllowed = isPublic }: RemoteOptions): void {
  const { protocol, hostname, port, username, password } = url;
  const isUsual = (protocol === 'http:' || protocol === 'https:') && `${username}${password}` === '';
  const isListed = hosts.some((host) => {
    const named = port === '' ? hostname : `${hostname}:${port}`;
    return host.startsWith('*.') ? named.endsWith(host.slice(1).toLowerCase()) : named === host.toLowerCase();
  });
  if (!isUsual || !isListed) {
    throw new Problem(403, `Images may not be fetched from ${url.host || protocol}. Send the image itself.`);
  }
  const address = hostname.replace(/^\[|\]$/g, '');
  if (isIP(address) !== 0 && !isAllowed(address)) throw refusedAddress(hostname); // an address is not looked up
}

const refusedAddress = (host: string): Problem =>
  new Problem(403, `Images may not be fetched from ${host}: its address is not public.`);

function get(
  url: URL,
  { signal, resolve = resolveName, isAllowed = isPublic }: RemoteOptions,
): Promise<IncomingMessage> {
  const options: RequestOptions = {
    agent: false,
    signal,
    lookup: checkedLookup(url.hostname, resolve, isAllowed),
    headers: { accept: 'image/*' },
  };
  return new Promise((done, fail) => {
    const failed = (error: Error) => fail(error instanceof Problem ? error : unfetched(url.href, error.message));
    const request = url.protocol === 'https:' ? getHttps(url, options, done) : getHttp(url, options, done);
    request.on('error', failed);
  });
}

/** Resolves a name to addresses that may be asked, or to none if one of them may not. */
const checkedLookup =
  (host: string, resolve: typeof resolveName, isAllowed: (address: string) => boolean): LookupFunction =>
  (name, options, done) => {
    resolve(name, { ...options, all: true }, (error, found: readonly LookupAddress[]) => {
      if (error) return done(error, '', 0);
      if (found.length === 0 || !found.every(({ address }) => isAllowed(address))) {
        return done(refusedAddress(host), '', 0);
      }
      if (options.all) return done(null, [...found]);
      done(null, found[0]!.address, found[0]!.family);
    });
  };

const unfetched = (url: string, reason: string): FormatError =>
  new FormatError(`Image "${shortName(url)}" cannot be fetched: ${reason}.`);
