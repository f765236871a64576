/** The names that `pull` accepts: shipped models, published weights, repositories on the hub, and URLs. */
import type { PublishedWeights, UrlSource } from '../catalog/entry.ts';
import { lookUpWeights, weightsAt } from '../catalog/published.ts';
import { lookUpShipped, type ShippedModel } from '../catalog/shipped.ts';
import { UsageError } from '../errors.ts';
import type { Check } from './checksum.ts';
import { checkRevision, isRepository } from './hub-cache.ts';

/** A parsed name. */
export type Target =
  | { readonly kind: 'shipped'; readonly shipped: ShippedModel }
  | { readonly kind: 'published'; readonly entry: PublishedWeights }
  | { readonly kind: 'repository'; readonly repository: string; readonly revision: string }
  | { readonly kind: 'address'; readonly url: URL };

/** Whether `name` has a form that `pull` accepts. */
export const canPull = (name: string): boolean => parseName(name) !== undefined;

/** Parses a name; undefined if it has none of the forms. */
export function parseName(name: string): Target | undefined {
  const shipped = lookUpShipped(name);
  if (shipped) return { kind: 'shipped', shipped };
  const entry = lookUpWeights(name) ?? weightsAt(name);
  if (entry) return { kind: 'published', entry };
  if (/^https?:\/\//.test(name)) return { kind: 'address', url: address(name) };
  const [base = '', revision = 'main', ...rest] = name.split('@');
  const published = lookUpWeights(base)?.sources.find((source) => 'repository' in source);
  const repository = published?.repository ?? base;
  if (rest.length > 0 || !isRepository(repository)) return undefined;
  checkRevision(revision);
  return { kind: 'repository', repository, revision };
}

function address(text: string): URL {
  if (!URL.canParse(text)) throw new UsageError(`"${text}" is not a valid URL.`);
  const url = new URL(text);
  const local = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'https:' || local) return url;
  throw new UsageError(`"${text}" should begin with https://, so that nobody can tamper with the weights in transit.`);
}

/** The hash that is known from a source, if any. */
export function checkOf({ sha256, sha1Inside }: UrlSource): Check | undefined {
  if (sha1Inside) return { kind: 'sha1-inside', digest: sha1Inside };
  return sha256 ? { kind: 'sha256', digest: sha256 } : undefined;
}

/** The hash in a file's name, as torch.hub has it: `-{hash}.{extension}`, with 8 or more digits of a SHA-256. */
export function checkOfName(file: string): Check | undefined {
  const digest = /-(?!(?:19|20)\d{6}\.)([0-9a-f]{8,64})\.[\w.]+$/.exec(file)?.[1]; // 8 digits may also be a date
  return digest && !file.endsWith('.zip') ? { kind: 'sha256', digest } : undefined;
}

/** The source for a URL. */
export function sourceOf(url: URL): UrlSource {
  const file = decoded(url.pathname.split('/').at(-1)!);
  if (!/^\w[\w.+-]*$/.test(file)) {
    throw new UsageError(`${url.href} should end in a file name of letters, digits, dots and dashes.`);
  }
  const check = checkOfName(file);
  return { url: url.href, file, ...(check && { sha256: check.digest }) };
}

/** Returns text that is not valid percent-encoding unchanged. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
