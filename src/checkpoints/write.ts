/** A model's weights under the names of another code base: the tables of `layouts.ts`, read from right to left. */

import { UsageError } from '../errors.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import type { Model } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import { stateDict, type Weights } from '../model/weights.ts';
import { checkGiven, oneOf } from '../options.ts';
import type { Tensor } from '../tensor.ts';
import { type Layout, layouts } from './layouts.ts';
import { reversed, translator } from './names.ts';
import { isOf } from './recognize.ts';

/** Names of the layouts that can be written; Torch7's numbers only mean something in its own files. */
export const layoutNames: readonly string[] = [...new Set(layouts.map(({ name }) => name))].filter(
  (name) => name !== 'torch7',
);

/**
 * A model's weights as a state dict of a code base, with `num_batches_tracked`.
 *
 * @param weights in form C.
 * @throws UsageError for a layout that is unknown or has no names for such a net.
 * @example await writeSafetensorsFile('cats.safetensors', writeStateDict(model, weights, 'mmpretrain'));
 */
export function writeStateDict(
  model: Model,
  weights: Weights,
  layout: string,
  batchesTracked = 0,
): Map<string, Tensor> {
  checkGiven({ layout: oneOf(layoutNames, { doc: 'naming scheme' }) }, { layout });
  const fitting = layouts.find(
    (known) => known.name === layout && isOf(known, model.config) && poolIsKept(known, model.config),
  );
  if (!fitting) {
    const { stem, shortcut, stemPool, antialias } = model.config;
    const net = `${antialias ? 'an anti-aliased' : 'a'} net with stem = "${stem}", stemPool = "${stemPool}"`;
    throw new UsageError(`${layout} has no names for ${net} and shortcut ${shortcut}; write another layout.`);
  }
  const translate = translator(reversed(fitting.rules));
  const named = [...stateDict(model, weights, batchesTracked)].map(([name, tensor]): [string, Tensor] => {
    const theirs = translate(name);
    if (theirs === undefined)
      throw new UsageError(`${layout} has no name for "${name}"; timm has names for most nets.`);
    return [theirs, tensor];
  });
  return new Map(named);
}

/** Whether who reads these names will take the pools for what they are. Only timm has anti-aliased nets. */
function poolIsKept({ name, stemPool = 'max' }: Layout, config: ResNeXtConfig): boolean {
  if (config.antialias && name !== 'timm') return false;
  if (!stems[config.stem].hasPool) return true;
  return config.stemPool === (config.antialias ? 'average' : stemPool);
}
