/** Properties of transforms that do not depend on an image: their validity, the output's size, and where to split them. */
import { UsageError } from '../../errors.ts';
import { type Field, refusal } from '../../options.ts';
import type { Size } from './row.ts';
import { rowOf, type Transform, type Transforms, transforms } from './table.ts';

export const noNormalize = 'transforms has no step of kind "normalize". Add one after the steps on images.';

/**
 * Checks the steps and returns the dimensions of their output: [C, H, W], or [V·C, H, W] with V views.
 *
 * @throws UsageError naming an invalid option or a step in the wrong place, or if the output's size would vary.
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
  throw new UsageError('transforms result in images of different sizes. Add a crop at the end, such as "center-crop".');
}

/** The size of images after these steps. */
export const sizeAfter = (steps: Transforms): Size =>
  steps.reduce((before, step) => rowOf(step).sizeAfter(before, step), decoded);

const decoded: Size = { views: 1, channels: 3, size: undefined };

/** V, the number of views that these steps make of one image. */
export const countViews = (steps: Transforms): number => sizeAfter(steps).views;

/**
 * Splits steps in two parts. The prefix gives the same result in every epoch, so it can be cached. The rest starts at the
 * first step that is random, makes several views, or normalizes.
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
    const move = at === 'image' ? 'after' : 'before';
    throw new UsageError(
      `transforms[${i}] (${kind}) is ${place} "normalize", but works on ${values}. Move it ${move} "normalize".`,
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
