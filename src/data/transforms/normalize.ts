/**
 * Converts bytes to the network's input, (byte / 255 - mean) / std per channel, with the same float32 rounding as
 * torchvision. A byte has 256 values, so each is computed once and then looked up.
 */

import type { Image } from '#platform/images';
import { UsageError } from '../../errors.ts';
import { list, real } from '../../options.ts';
import type { NormalizeRow } from './row.ts';

export interface Statistics {
  /** One value per channel, with bytes scaled to [0, 1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

const normalize: NormalizeRow<Statistics> = {
  from: 'image',
  to: 'tensor',
  options: {
    mean: list(real({ doc: 'mean of a channel' }), { nonEmpty: true, doc: 'mean per channel' }),
    std: list(real({ above: 0, doc: 'standard deviation of a channel' }), {
      nonEmpty: true,
      doc: 'standard deviation per channel',
    }),
  },
  deterministic: true,
  sizeAfter: (before) => before,
  misfit: ({ channels }, { mean, std }) => {
    if (std.length !== mean.length) return `std has ${std.length} values, but mean has ${mean.length}.`;
    if (mean.length === channels) return undefined;
    return `mean has ${mean.length} values, but the images have ${channels} channels.`;
  },
  apply: lookUp,
};

export const normalization = { normalize };

function lookUp({ channels, width, height, data }: Image, step: Statistics, out: Float32Array): void {
  const plane = width * height;
  if (step.mean.length !== channels) {
    throw new UsageError(
      `normalize has ${step.mean.length} mean values, but the image has ${channels} channels. Give one value per channel, or add the step "grayscale".`,
    );
  }
  if (out.length !== data.length) {
    throw new RangeError(
      `The result has ${data.length} values [${channels}, ${height}, ${width}], but \`out\` has ${out.length}.`,
    );
  }
  const table = tableFor(step);
  for (let c = 0; c < channels; c++) {
    const row = c * 256;
    for (let i = 0, p = c; i < plane; i++, p += channels) out[c * plane + i] = table[row + data[p]!]!;
  }
}

const tables = new WeakMap<Statistics, Float32Array>();

function tableFor(step: Statistics): Float32Array {
  const known = tables.get(step);
  if (known) return known;
  const { mean, std } = step;
  const table = new Float32Array(mean.length * 256); // [C, 256]
  for (let i = 0; i < table.length; i++) {
    const c = i >> 8;
    table[i] = Math.fround(Math.fround((i & 255) / 255) - Math.fround(mean[c]!)) / Math.fround(std[c]!);
  }
  tables.set(step, table);
  return table;
}
