/** The way of a request with images: its body is read, images are checked and fetched, and results are put beside names. */
import type * as z from 'zod';
import type { Outcome } from '../classifier/outcomes.ts';
import type { NamedImage } from '../data/image-source.ts';
import { readBody } from './body.ts';
import { checkedImage, readSent, type Sent, type SentImage } from './input.ts';
import { Problem, problemOf } from './problem.ts';
import { fetchRemote } from './remote.ts';
import type { Call } from './route.ts';

/** An image that can be run, or why it cannot. */
type Checked = NamedImage | { readonly name: string; readonly problem: Problem };

/** A request whose images are in memory. */
export interface Asked {
  readonly sent: Sent;
  readonly images: readonly Checked[];
}

/** The outcome for one image of a request. */
export type Result<T> = { readonly image: string } & ({ readonly value: T } | { readonly problem: Problem });

/** Reads a request, and keeps its body until `use` is done. */
export async function withImages<T>(call: Call, use: (asked: Asked) => Promise<T>): Promise<T> {
  const { context, request, headers, query } = call;
  const { memory, limits } = context;
  const body = await readBody(request, { memory, maxBytes: limits.maxBytes, seconds: limits.bodySeconds });
  call.begin();
  let fetched = 0;
  try {
    const sent = await readSent(body.bytes, headers['content-type'], { query, maxImages: limits.maxImages });
    call.note({ images: sent.images.length, bytes: body.bytes.length });
    const onBytes = (count: number) => {
      if (fetched + count > limits.maxBytes) throw new Problem(413, 'The images that the request names are too large.');
      memory.take(count);
      fetched += count;
    };
    const images = await Promise.all(sent.images.map((image) => checked(image, call, onBytes)));
    return await use({ sent, images });
  } finally {
    memory.give(fetched);
    body.release();
  }
}

async function checked(
  { name, bytes, url }: SentImage,
  call: Call,
  onBytes: (count: number) => void,
): Promise<Checked> {
  const { hosts, maxMegapixels } = call.context.limits;
  try {
    const found = bytes ?? (await fetchRemote(url!, { hosts, signal: call.signal, onBytes }));
    return checkedImage(name, found, maxMegapixels);
  } catch (error) {
    call.signal.throwIfAborted();
    return { name, problem: problemOf(error) };
  }
}

/**
 * Runs the images that can be run.
 *
 * @throws Problem, that of the first image, if no image has a result.
 */
export async function resultsOf<T>(
  images: readonly Checked[],
  run: (images: readonly NamedImage[]) => Promise<readonly Outcome<T>[]>,
): Promise<Result<T>[]> {
  const good = images.filter((image): image is NamedImage => !('problem' in image));
  const outcomes = good.length > 0 ? await run(good) : [];
  const byImage = new Map(good.map((image, n) => [image, outcomes[n]!] as const));
  const results = images.map((image): Result<T> => {
    if ('problem' in image) return { image: image.name, problem: image.problem };
    const outcome = byImage.get(image)!;
    if ('error' in outcome) return { image: image.name, problem: problemOf(outcome.error) };
    return { image: image.name, value: outcome.result };
  });
  const [first] = results;
  if (first && 'problem' in first && results.every((result) => 'problem' in result)) throw first.problem;
  return results;
}

/** All values. @throws Problem, that of the first image without one. */
export function valuesOf<T>(results: readonly Result<T>[]): T[] {
  return results.map((result) => {
    if ('problem' in result) throw result.problem;
    return result.value;
  });
}

/** @throws Problem with 400 for the first value that a schema refuses. */
export function parsed<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const { data, error } = schema.safeParse(value);
  if (!error) return data as z.output<S>;
  const { path, message } = error.issues[0]!;
  throw new Problem(400, `${path.length > 0 ? `"${path.join('.')}": ` : ''}${message}.`);
}
