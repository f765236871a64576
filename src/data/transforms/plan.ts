/** What follows from transforms before any image is seen: their checks, the size they leave, where they are cut in two. */
import { UsageError } from '../../errors.ts';
import { type Field, refusal } from '../../options.ts';
import type { Size } from './row.ts';
import { rowOf, type Transform, type Transforms, transforms } from './table.ts';

export const noNormalize = 'transforms has no step of kind "normalize"; add one behind the steps on images.';

/**
 * The dimensions [C, H, W] of every image after these steps, or [V·C, H, W] with V views; checks their options on the way.
 *
 * @throws UsageError naming the first option that cannot be used, a step in the wrong place, or images whose sizes would
 *   differ.
 */
export function outputDims(steps: Transforms): readonly [number, number, number] {
  let at: 'image' | 'tensor' = 'image';
  let size = decoded;
  for (const [i, step] of steps.entries()) {
    check(step, i, at, size);
    const row = rowOf(step);
    size = row.sizeAfter(size, step);
    at = row.to;
  }
  if (at === 'image') throw new UsageError(noNormalize);
  if (size.size !== undefined) return [size.views * size.channels, size.size, size.size];
  throw new UsageError('transforms leave images of different sizes; add a crop at the end, such as "center-crop".');
}

/** What every image is after these steps. */
export const sizeAfter = (steps: Transforms): Size =>
  steps.reduce((before, step) => rowOf(step).sizeAfter(before, step), decoded);

const decoded: Size = { views: 1, channels: 3, size: undefined };

/** V, the number of images that these steps make of one. */
export const countViews = (steps: Transforms): number => sizeAfter(steps).views;

/**
 * Steps in two parts: the prefix makes the same image of an image in every epoch, so that its result can be kept; the rest
 * starts at the first step that is random, makes several images, or normalizes.
 */
export function splitTransforms(steps: Transforms): { readonly prefix: Transforms; readonly rest: Transforms } {
  const length = steps.findIndex((step, i) => {
    const { deterministic, to } = rowOf(step);
    return !deterministic || to === 'tensor' || countViews(steps.slice(0, i + 1)) > 1;
  });
  return { prefix: steps.slice(0, length), rest: steps.slice(length) };
}

function check(step: Transform, i: number, at: 'image' | 'tensor', before: Size): void {
  const { kind } = step;
  if (!Object.hasOwn(transforms, kind)) {
    const known = Object.keys(transforms).join(', ');
    throw new UsageError(`transforms[${i}].kind is ${JSON.stringify(kind)}, but expected one of ${known}.`);
  }
  const row = rowOf(step);
  if (row.from !== at) {
    const [place, values] = at === 'image' ? ['before', 'normalized values'] : ['after', 'images'];
    const move = at === 'image' ? 'behind it' : 'in front of it';
    throw new UsageError(
      `transforms[${i}] (${kind}) stands ${place} "normalize", but reads ${values}; put it ${move}.`,
    );
  }
  const given = new Map<string, unknown>(Object.entries(step));
  for (const [option, field] of Object.entries<Field<unknown>>(row.options)) {
    const refused = refusal(field, given.get(option));
    if (refused !== undefined) throw new UsageError(`transforms[${i}].${option} (${kind}) ${refused}`);
  }
  const misfit = row.misfit?.(before, step);
  if (misfit !== undefined) throw new UsageError(`transforms[${i}] (${kind}): ${misfit}`);
}
